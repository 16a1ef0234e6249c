-- Store one pattern. Delivered again it changes nothing, unless more is known of the same work by then. It is not added
-- if all of its work is stored under another key: a fork's transcript repeats the work of another session.
-- Returns whether the pattern was added or updated; no row if nothing changed. Keep in sync with find_known.sql, which
-- predicts that.
-- The pattern is checked here, since another program's table of memories has no constraints for patterns.
with given as (
    select content, metadata, jsonb_array_length(%(actions)s::jsonb) as actions
      from behavior.to_memory(jsonb_build_object(
               'source_key', %(source_key)s::text, 'session_id', %(session_id)s::text, 'project', %(project)s::text,
               'trigger', %(trigger)s::text, 'embedding_model', %(embedding_model)s::text,
               'context', %(context)s::jsonb, 'actions', %(actions)s::jsonb, 'final_outcome', %(final_outcome)s::text,
               'confidence', %(confidence)s::float8, 'provenance', %(provenance)s::jsonb,
               'started_at', %(started_at)s::timestamptz))
), there as materialized (
    -- Under a policy no index over metadata can be used, but the one over dates can. No row is created before its work
    -- began, except for the difference between the clocks of two machines.
    select m.metadata ->> 'source_key' as source_key, m.content, m.metadata
      from public.memories m
     where m.user_id = (select behavior.caller())
       and m.type = 'workflow'
       and m.created_at > %(started_at)s::timestamptz - interval '1 day'
       and (m.metadata ->> 'source_key' = %(source_key)s::text
            or m.metadata ->> 'started_at' = (select metadata ->> 'started_at' from given))
), own as (
    select from there where source_key = %(source_key)s::text
)
insert into public.memories as kept (user_id, type, content, metadata, embedding)
select (select behavior.caller()), 'workflow', content, metadata, %(embedding)s
  from given
 where behavior.must_be_workflow(content, metadata, %(embedding)s)
   and (not exists (select from there
                           cross join lateral behavior.from_memory(there.content, there.metadata) as other
                     where other.trigger = %(trigger)s::text
                       and other.actions @> %(calls)s::jsonb
                       and (other.final_outcome <> 'partial' or %(final_outcome)s::text = 'partial'))
        or exists (select from own))
    on conflict (user_id, (metadata ->> 'source_key'))
          where type = 'workflow' and octet_length(metadata ->> 'source_key') <= 200 do update
   set content = (kept.content::jsonb || excluded.content::jsonb)::text,
       -- Once its folder is gone, a project is only known by its path; do not overwrite its remote with that.
       metadata = kept.metadata
               || (excluded.metadata - array['session_id', 'use_count', 'last_used_at', 'started_at', 'schema_version'])
               || case when left(excluded.metadata ->> 'project', 1) = '/' and left(kept.metadata ->> 'project', 1) <> '/'
                       then jsonb_build_object(
                                'project', kept.metadata -> 'project',
                                'context', coalesce(kept.metadata -> 'context', '{}')
                                        || jsonb_build_object('files_touched',
                                                              excluded.metadata -> 'context' -> 'files_touched'))
                       else '{}' end,
       embedding = excluded.embedding
 where case
           when behavior.workflow_problem(kept.content, kept.metadata) is not null then false
           else jsonb_array_length(kept.content::jsonb -> 'actions') < (select actions from given)
                or (jsonb_array_length(kept.content::jsonb -> 'actions') = (select actions from given)
                    and ((kept.embedding is null and excluded.embedding is not null)
                         or (kept.content::jsonb ->> 'outcome' = 'partial'
                             and excluded.content::jsonb ->> 'outcome' <> 'partial')))
       end
returning not exists (select from own) as is_new
