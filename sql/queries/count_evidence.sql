-- How much evidence the caller has: pieces of work without their parts, sessions, and projects.
select count(*) filter (where part_of = '') as episodes,
       count(distinct session_id) as sessions,
       count(distinct project) filter (where project <> '') as projects
  from behavior.episodes
 where user_id = (select behavior.caller())
