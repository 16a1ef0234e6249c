-- Say whose transaction this is; `true` ends it with the transaction, so a pooled connection carries nothing over.
select set_config('role', 'authenticated', true),
       set_config('request.jwt.claims', json_build_object('sub', %(user_id)s::text, 'role', 'authenticated')::text, true)
