-- Mark the episodes of these patterns, and one episode of each of these projects, so that their projects are computed
-- again. Projects count too, since an episode without a pattern still affects the others of its project.
update behavior.episodes
   set is_folded = false
 where user_id = (select behavior.caller())
   and is_folded
   and (pattern_key = any (%(pattern_keys)s::text[])
        or source_key = any (array(select distinct on (project) source_key
                                     from behavior.episodes
                                    where user_id = (select behavior.caller())
                                      and project = any (%(projects)s::text[])
                                    order by project, started_at desc)))
