-- The design of the migration guide (docs/schema.md), without its comments: what ours is measured against.
CREATE TABLE IF NOT EXISTS public.behavior_patterns (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),

  user_id UUID NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,

  trigger TEXT NOT NULL,
  trigger_embedding VECTOR(1536),

  context JSONB NOT NULL DEFAULT '{}'::jsonb,

  actions JSONB NOT NULL DEFAULT '[]'::jsonb,

  final_outcome TEXT NOT NULL CHECK (final_outcome IN ('success', 'partial', 'failed')),

  confidence FLOAT NOT NULL DEFAULT 0.7 CHECK (confidence >= 0 AND confidence <= 1),
  use_count INT NOT NULL DEFAULT 1 CHECK (use_count >= 0),
  last_used_at TIMESTAMPTZ,

  created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

CREATE INDEX behavior_patterns_user_id_idx
  ON public.behavior_patterns(user_id);

CREATE INDEX behavior_patterns_final_outcome_idx
  ON public.behavior_patterns(final_outcome);

CREATE INDEX behavior_patterns_confidence_idx
  ON public.behavior_patterns(confidence DESC);

CREATE INDEX behavior_patterns_use_count_idx
  ON public.behavior_patterns(use_count DESC);

CREATE INDEX behavior_patterns_embedding_idx
  ON public.behavior_patterns
  USING ivfflat (trigger_embedding vector_cosine_ops)
  WITH (lists = 100);

CREATE INDEX behavior_patterns_context_idx
  ON public.behavior_patterns
  USING GIN (context);

CREATE INDEX behavior_patterns_actions_idx
  ON public.behavior_patterns
  USING GIN (actions);

ALTER TABLE public.behavior_patterns ENABLE ROW LEVEL SECURITY;

CREATE POLICY "Users can view own patterns"
  ON public.behavior_patterns
  FOR SELECT
  USING (auth.uid() = user_id);

CREATE POLICY "Users can insert own patterns"
  ON public.behavior_patterns
  FOR INSERT
  WITH CHECK (auth.uid() = user_id);

CREATE POLICY "Users can update own patterns"
  ON public.behavior_patterns
  FOR UPDATE
  USING (auth.uid() = user_id);

CREATE POLICY "Users can delete own patterns"
  ON public.behavior_patterns
  FOR DELETE
  USING (auth.uid() = user_id);

CREATE POLICY "Service role full access"
  ON public.behavior_patterns
  FOR ALL
  TO service_role
  USING (true);

CREATE OR REPLACE FUNCTION update_behavior_pattern_timestamp()
RETURNS TRIGGER AS $$
BEGIN
  NEW.updated_at = NOW();
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER behavior_patterns_updated_at
  BEFORE UPDATE ON public.behavior_patterns
  FOR EACH ROW
  EXECUTE FUNCTION update_behavior_pattern_timestamp();

CREATE OR REPLACE FUNCTION increment_pattern_use_count(pattern_id UUID)
RETURNS void AS $$
BEGIN
  UPDATE public.behavior_patterns
  SET
    use_count = use_count + 1,
    last_used_at = NOW()
  WHERE id = pattern_id;
END;
$$ LANGUAGE plpgsql SECURITY DEFINER;

CREATE OR REPLACE FUNCTION find_similar_patterns(
  query_embedding VECTOR(1536),
  match_threshold FLOAT DEFAULT 0.7,
  match_count INT DEFAULT 5,
  p_user_id UUID DEFAULT NULL
)
RETURNS TABLE (
  id UUID,
  trigger TEXT,
  context JSONB,
  actions JSONB,
  final_outcome TEXT,
  confidence FLOAT,
  use_count INT,
  similarity FLOAT
) AS $$
BEGIN
  RETURN QUERY
  SELECT
    bp.id,
    bp.trigger,
    bp.context,
    bp.actions,
    bp.final_outcome,
    bp.confidence,
    bp.use_count,
    1 - (bp.trigger_embedding <=> query_embedding) AS similarity
  FROM public.behavior_patterns bp
  WHERE
    (p_user_id IS NULL OR bp.user_id = p_user_id)
    AND bp.trigger_embedding IS NOT NULL
    AND 1 - (bp.trigger_embedding <=> query_embedding) >= match_threshold
  ORDER BY bp.trigger_embedding <=> query_embedding
  LIMIT match_count;
END;
$$ LANGUAGE plpgsql SECURITY DEFINER;

GRANT USAGE ON SCHEMA public TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.behavior_patterns TO authenticated;

GRANT EXECUTE ON FUNCTION increment_pattern_use_count(UUID) TO authenticated;
GRANT EXECUTE ON FUNCTION find_similar_patterns(VECTOR(1536), FLOAT, INT, UUID) TO authenticated;
