-- Whether the caller has evidence of work that began before a moment.
select exists (select
                 from behavior.episodes
                where user_id = (select behavior.caller())
                  and started_at < %(moment)s) as is_there
