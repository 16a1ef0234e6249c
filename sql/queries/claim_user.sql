-- Say who the user is, to the transaction's end. It counts for a login that could pass by every policy anyway.
select set_config('request.jwt.claims', json_build_object('sub', %(user_id)s::uuid)::text, true)
