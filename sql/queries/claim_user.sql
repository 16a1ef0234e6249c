-- Claim to be a user, to the end of the transaction. Only the claims of logins that bypass every policy are believed.
select set_config('request.jwt.claims', json_build_object('sub', %(user_id)s::uuid)::text, true)
