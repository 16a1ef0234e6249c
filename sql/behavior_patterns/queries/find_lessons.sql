-- The lessons of the caller's computed patterns of a project; those of hidden patterns are left out.
select workflow -> 'lessons' as lessons
  from public.behavior_patterns
 where user_id = (select behavior.caller())
   and project = %(project)s
   and workflow -> 'lessons' <> '[]'::jsonb
   and workflow -> 'is_hidden' is distinct from 'true'::jsonb
 order by started_at desc, source_key
 limit %(limit)s
