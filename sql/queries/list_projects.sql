-- The projects that the caller has patterns of, those with most work first.
select project
  from behavior.episodes
 where user_id = (select behavior.caller())
   and pattern_key <> ''
 group by project
 order by count(*) desc, project
