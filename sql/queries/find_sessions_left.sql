-- Which of these sessions the caller still has evidence of.
select distinct session_id
  from behavior.episodes
 where user_id = (select behavior.caller())
   and session_id = any (%(session_ids)s::text[])
