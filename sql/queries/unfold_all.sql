-- Have the patterns of all users and projects computed again. One episode is enough to mark a project.
update behavior.episodes
   set is_folded = false
 where is_folded
   and (user_id, source_key) in (select distinct on (user_id, project) user_id, source_key
                                   from behavior.episodes
                                  order by user_id, project, started_at desc)
