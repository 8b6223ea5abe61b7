-- Counting attempts, quicker than bucket_functions.sql does: what it answers and keeps is the same.

-- Attempts alone, as each request makes one: lock, load, judge, take and save in one breath, for none of them is ever in
-- flight or locks anything. Assignments in place of queries: each query in a function takes as long as a row's reading.
CREATE OR REPLACE FUNCTION throttling_count(rules jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    now_ms bigint; last int := jsonb_array_length(rules) - 1; done boolean; is_rate boolean := true;
    rule jsonb; owner_of text; span bigint; size bigint; allowed bigint; slot text; until bigint;
    marks jsonb; used bigint; soonest bigint; latest bigint;
    kept jsonb[] := '{}'; lasts bigint[] := '{}'; verdicts jsonb := '[]'; granted boolean := true;
BEGIN
    FOR i IN 0 .. last LOOP
        rule := rules->i;
        owner_of := rule->>'owner';
        done := pg_advisory_xact_lock(hashtextextended(
            concat_ws(E'\x1f', owner_of, rule->>'purpose', rule->>'key'), 6238)) IS NULL;
        is_rate := is_rate AND (starts_with(owner_of, 'source:') OR starts_with(owner_of, 'session:'));
    END LOOP;
    -- Seen by all at once, on the disk a moment later: after a crash of the database the rate of a source or of a
    -- session may forget what it granted in the last 0.6 s, as a Redis would. No guess is counted so.
    IF is_rate THEN
        done := set_config('synchronous_commit', 'off', true) IS NULL;
    END IF;
    now_ms := throttling_now();
    FOR i IN 0 .. last LOOP
        rule := rules->i;
        allowed := (rule->>'allowed')::bigint;
        SELECT coalesce(jsonb_object_agg(m.key, m.value), '{}'), coalesce(sum((m.value->>1)::bigint), 0),
               min((m.value->>0)::bigint), coalesce(max((m.value->>0)::bigint), now_ms)
          INTO marks, used, soonest, latest
          FROM throttling_bucket b, jsonb_each(b.state->'marks') m
         WHERE b.owner = rule->>'owner' AND b.purpose = rule->>'purpose' AND b.key = rule->>'key'
           AND (m.value->>0)::bigint > now_ms
           AND coalesce((b.state->>'at')::bigint, 0) <= now_ms + 60000;  -- as throttling_load says it
        granted := granted AND used < allowed;
        kept := kept || marks;
        lasts := lasts || latest;
        verdicts := verdicts || jsonb_build_object(
            'used', used, 'pending', 0, 'need', 1, 'reset', latest - now_ms, 'level', 0, 'locked', 0,
            'wait', CASE WHEN used < allowed THEN 0 ELSE soonest - now_ms END);
    END LOOP;
    IF granted THEN
        FOR i IN 0 .. last LOOP
            rule := rules->i;
            size := (rule->>'slot')::bigint;
            span := (rule->>'span')::bigint;
            slot := (now_ms / size)::text;
            until := (now_ms / size + 1) * size + span;
            marks := kept[i + 1] || jsonb_build_object(
                slot, jsonb_build_array(until, 1 + coalesce((kept[i + 1] #>> ARRAY[slot, '1'])::bigint, 0)));
            INSERT INTO throttling_bucket (owner, purpose, key, state, expires_at)
            VALUES (rule->>'owner', rule->>'purpose', rule->>'key',
                    jsonb_build_object('marks', marks, 'flights', '{}'::jsonb, 'level', 0, 'locked', 0, 'at', now_ms),
                    to_timestamp((greatest(until, lasts[i + 1]) / 900000 + 1) * 900))
            ON CONFLICT (owner, purpose, key) DO UPDATE
               SET state = excluded.state, expires_at = excluded.expires_at;
        END LOOP;
    END IF;
    RETURN jsonb_build_object('granted', granted, 'at', now_ms, 'verdicts', verdicts);
END $$;

-- rules: sorted by bucket. id NULL: only look. Answers {"granted", "at", "verdicts"}; a refusal writes nothing.
CREATE OR REPLACE FUNCTION throttling_reserve(rules jsonb, id text, ttl bigint) RETURNS jsonb LANGUAGE plpgsql
SET lock_timeout = '2s' AS $$
DECLARE
    now_ms bigint; rule jsonb; state jsonb; verdict jsonb;
    states jsonb := '[]'; verdicts jsonb := '[]'; granted boolean := true; i int := 0;
BEGIN
    IF id IS NOT NULL THEN
        IF NOT rules @> '[{"attempts": false}]' THEN
            RETURN throttling_count(rules);
        END IF;
        PERFORM throttling_lock(rules);
    END IF;
    now_ms := throttling_now();
    FOR rule IN SELECT jsonb_array_elements(rules) LOOP
        state := throttling_load(rule, now_ms);
        verdict := throttling_judge(state, rule, now_ms);
        granted := granted AND (verdict->>'wait')::bigint = 0;
        states := states || jsonb_build_array(state);
        verdicts := verdicts || jsonb_build_array(verdict);
    END LOOP;
    IF granted AND id IS NOT NULL THEN
        FOR rule IN SELECT jsonb_array_elements(rules) LOOP
            state := CASE WHEN (rule->>'attempts')::boolean
                THEN throttling_mark(states->i, rule, now_ms, rule->>'member')
                ELSE jsonb_set(states->i, ARRAY['flights', id], jsonb_build_array(now_ms + ttl, rule->>'member')) END;
            PERFORM throttling_save(state, rule);
            i := i + 1;
        END LOOP;
    END IF;
    RETURN jsonb_build_object('granted', granted, 'at', now_ms, 'verdicts', verdicts);
END $$;
