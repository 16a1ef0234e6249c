-- Have the patterns with these keys computed again, and all of these projects: what an episode without a pattern says
-- counts for the others of its project. One episode is enough to mark a project.
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
