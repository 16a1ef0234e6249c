-- Store one episode; the same work updates the same row. A vector stays as long as its trigger does.
insert into behavior.episodes as kept
       (user_id, source_key, part_of, session_id, project, trigger, turns, outcome, because, digest, turn_starts,
        schema_version, redaction_version, started_at)
values ((select behavior.caller()), %(source_key)s, %(part_of)s, %(session_id)s, %(project)s, %(trigger)s, %(turns)s,
        %(outcome)s, %(because)s, %(digest)s, %(turn_starts)s, %(schema_version)s,
        %(redaction_version)s, %(started_at)s)
    on conflict (user_id, source_key) do update
   set part_of = excluded.part_of,
       project = excluded.project,
       trigger = excluded.trigger,
       trigger_embedding = case when kept.trigger = excluded.trigger then kept.trigger_embedding end,
       embedding_model = case when kept.trigger = excluded.trigger then kept.embedding_model end,
       turns = excluded.turns,
       outcome = excluded.outcome,
       because = excluded.because,
       digest = excluded.digest,
       pattern_key = case when kept.project = excluded.project then kept.pattern_key else '' end,
       is_folded = false,
       turn_starts = excluded.turn_starts,
       schema_version = excluded.schema_version,
       redaction_version = excluded.redaction_version,
       started_at = excluded.started_at
