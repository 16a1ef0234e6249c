-- The projects of the caller's episodes that have changed since their patterns were computed.
select distinct project
  from behavior.episodes
 where user_id = (select behavior.caller())
   and not is_folded
