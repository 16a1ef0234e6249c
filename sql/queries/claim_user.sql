-- Claim to be a user, to the end of the transaction. It counts only for a login that could bypass every policy anyway.
select set_config('request.jwt.claims', json_build_object('sub', %(user_id)s::uuid)::text, true)
