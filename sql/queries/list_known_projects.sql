-- The projects that the caller has evidence of, with or without patterns.
select project
  from behavior.episodes
 where user_id = (select behavior.caller())
   and project <> ''
 group by project
 order by count(*) desc, project
