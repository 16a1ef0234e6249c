-- Note whether the work after a suggestion followed it, and how it ended. Returns whether it counts as a use only now.
with before as (
    select is_followed
      from behavior.remarks
     where user_id = (select behavior.caller()) and id = %(id)s
       for update
)
update behavior.remarks r
   set is_followed = %(is_followed)s,
       outcome = %(outcome)s
  from before
 where r.user_id = (select behavior.caller())
   and r.id = %(id)s
   and (r.is_followed, r.outcome) is distinct from (%(is_followed)s::boolean, %(outcome)s::text)
returning kind = 'shown' and %(is_followed)s::boolean and before.is_followed is not true as is_new_use
