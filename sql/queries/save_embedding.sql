-- Store the vector of a trigger, unless the trigger has changed; none if the model cannot embed it.
update behavior.episodes
   set trigger_embedding = %(embedding)s,
       embedding_model = %(model)s
 where user_id = (select behavior.caller())
   and source_key = %(source_key)s
   and trigger = %(trigger)s
