-- The algorithm of throttling/stores/bucket.py in PL/pgSQL, name by name: one statement reserves, one settles.
-- Every call locks its buckets in the order of (owner, purpose, key) before it reads the clock or a state. The locks
-- are advisory, so that they cover rows that do not exist yet, and end with the transaction.

CREATE OR REPLACE FUNCTION throttling_now() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

CREATE OR REPLACE FUNCTION throttling_used(state jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT coalesce(sum((value->>1)::bigint), 0)::bigint FROM jsonb_each(state->'marks') $$;

CREATE OR REPLACE FUNCTION throttling_drop(state jsonb, rule jsonb, at bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    name text; mark jsonb;
BEGIN
    FOR name, mark IN SELECT * FROM jsonb_each(state->'marks') LOOP
        IF (mark->>0)::bigint <= at THEN
            state := state #- ARRAY['marks', name];
        END IF;
    END LOOP;
    IF state->'marks' = '{}' AND (state->>'locked')::bigint + (rule->>'span')::bigint <= at THEN
        state := jsonb_set(state, '{level}', '0');
    END IF;
    RETURN state;
END $$;

CREATE OR REPLACE FUNCTION throttling_mark(state jsonb, rule jsonb, at bigint, member text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    slot bigint := at / (rule->>'slot')::bigint;
    name text := coalesce(nullif(member, ''), slot::text);
    n bigint := coalesce((state #>> ARRAY['marks', name, '1'])::bigint, 0);
BEGIN
    RETURN jsonb_set(state, ARRAY['marks', name], jsonb_build_array(
        (slot + 1) * (rule->>'slot')::bigint + (rule->>'span')::bigint,
        CASE WHEN (rule->>'distinct')::boolean THEN 1 ELSE n + 1 END));
END $$;

CREATE OR REPLACE FUNCTION throttling_fail(state jsonb, rule jsonb, at bigint, member text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    lock bigint := (rule->>'lock')::bigint;
    level int;
BEGIN
    state := throttling_mark(throttling_drop(state, rule, at), rule, at, member);
    IF throttling_used(state) < (rule->>'allowed')::bigint THEN
        RETURN state;
    END IF;
    state := state || '{"hit": true}';
    IF lock > 0 THEN
        level := (state->>'level')::int;
        state := state || jsonb_build_object(
            'locked', at + least(lock << least(level, 30), (rule->>'lock_max')::bigint),
            'level', level + 1, 'marks', '{}'::jsonb);
    END IF;
    RETURN state;
END $$;

CREATE OR REPLACE FUNCTION throttling_load(rule jsonb, now_ms bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    state jsonb; id text; flight jsonb;
BEGIN
    SELECT b.state INTO state FROM throttling_bucket b
     WHERE b.owner = rule->>'owner' AND b.purpose = rule->>'purpose' AND b.key = rule->>'key';
    state := '{"marks": {}, "flights": {}, "level": 0, "locked": 0, "unsaid": []}'::jsonb || coalesce(state, '{}')
          || '{"hit": false}';
    -- Written by a clock that was ahead and was set right: else that would stay shut for as long as it was.
    IF (state->>'at')::bigint > now_ms + 60000 THEN
        state := state || jsonb_build_object(
            'marks', coalesce((SELECT jsonb_object_agg(m.key, m.value) FROM jsonb_each(state->'marks') m WHERE m.key = '-'), '{}'),
            'flights', '{}'::jsonb, 'locked', least((state->>'locked')::bigint, now_ms));
    END IF;
    FOR id, flight IN SELECT f.key, f.value FROM jsonb_each(state->'flights') f
                       WHERE (f.value->>0)::bigint <= now_ms ORDER BY (f.value->>0)::bigint LOOP
        state := throttling_fail(state #- ARRAY['flights', id], rule, (flight->>0)::bigint, flight->>1);
        IF (state->>'hit')::boolean THEN
            state := jsonb_set(state, '{unsaid}', state->'unsaid' || jsonb_build_array(jsonb_build_array(
                state->'level', state->'locked'))) || '{"hit": false}';
        END IF;
    END LOOP;
    RETURN throttling_drop(state, rule, now_ms);
END $$;

CREATE OR REPLACE FUNCTION throttling_judge(state jsonb, rule jsonb, now_ms bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    marks jsonb := state->'marks';
    members text[] := ARRAY(SELECT value->>1 FROM jsonb_each(state->'flights'));
    allowed bigint := (rule->>'allowed')::bigint;
    locked bigint := (state->>'locked')::bigint;
    used bigint := throttling_used(state);
    need int := 1;
    wait bigint := 0;
    pending bigint; soonest bigint; latest bigint;
BEGIN
    IF (rule->>'distinct')::boolean THEN
        members := ARRAY(SELECT DISTINCT m FROM unnest(members) m WHERE NOT marks ? m);
        need := CASE WHEN marks ? (rule->>'member') OR rule->>'member' = ANY(members) THEN 0 ELSE 1 END;
    END IF;
    pending := cardinality(members);
    SELECT min((value->>0)::bigint), max((value->>0)::bigint) INTO soonest, latest FROM jsonb_each(marks);
    IF locked > now_ms THEN
        wait := locked - now_ms;
    ELSIF used + need > allowed THEN
        wait := soonest - now_ms;
    ELSIF used + pending + need > allowed THEN
        wait := -1;
    END IF;
    RETURN jsonb_build_object('used', used, 'pending', pending, 'need', need, 'wait', wait,
                              'reset', greatest(locked, now_ms, latest) - now_ms,
                              'level', state->'level', 'locked', locked,
                              'unsaid', jsonb_array_length(state->'unsaid'));
END $$;

CREATE OR REPLACE FUNCTION throttling_finish(state jsonb, rule jsonb, now_ms bigint, id text, at bigint, outcome text)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    flight jsonb := state->'flights'->id;
    name text := (at / (rule->>'slot')::bigint)::text;
    n bigint := (state #>> ARRAY['marks', name, '1'])::bigint;
BEGIN
    state := state #- ARRAY['flights', id];
    IF flight IS NOT NULL AND outcome = 'failed' THEN
        state := throttling_fail(state, rule, now_ms, flight->>1);
    END IF;
    IF (rule->>'attempts')::boolean AND outcome = 'released' AND n IS NOT NULL THEN
        state := CASE WHEN n = 1 THEN state #- ARRAY['marks', name]
                      ELSE jsonb_set(state, ARRAY['marks', name, '1'], to_jsonb(n - 1)) END;
    END IF;
    RETURN state;
END $$;

CREATE OR REPLACE FUNCTION throttling_expiry(state jsonb, rule jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
SELECT greatest(0,
    (SELECT max((value->>0)::bigint) FROM jsonb_each(state->'marks')),
    (SELECT max((value->>0)::bigint) FROM jsonb_each(state->'flights'))
        + (rule->>'span')::bigint + (rule->>'slot')::bigint + (rule->>'lock_max')::bigint,
    CASE WHEN (state->>'level')::int > 0 THEN (state->>'locked')::bigint + (rule->>'span')::bigint END)
$$;

CREATE OR REPLACE FUNCTION throttling_save(state jsonb, rule jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    expires bigint := throttling_expiry(state, rule);
BEGIN
    IF expires = 0 THEN
        DELETE FROM throttling_bucket b
         WHERE b.owner = rule->>'owner' AND b.purpose = rule->>'purpose' AND b.key = rule->>'key';
        RETURN;
    END IF;
    state := state - 'hit' - CASE WHEN state->'unsaid' = '[]' THEN 'unsaid' ELSE '' END
          || jsonb_build_object('at', throttling_now());
    -- Rounded up, so that most updates change no indexed column.
    INSERT INTO throttling_bucket (owner, purpose, key, state, expires_at)
    VALUES (rule->>'owner', rule->>'purpose', rule->>'key', state, to_timestamp((expires / 900000 + 1) * 900))
    ON CONFLICT (owner, purpose, key) DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at;
END $$;

CREATE OR REPLACE FUNCTION throttling_wipe(rule jsonb, now_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    flights jsonb;
BEGIN
    SELECT jsonb_object_agg(f.key, f.value) INTO flights
      FROM throttling_bucket b, jsonb_each(b.state->'flights') f
     WHERE b.owner = rule->>'owner' AND b.purpose = rule->>'purpose' AND b.key = rule->>'key'
       AND (f.value->>0)::bigint > now_ms;
    IF flights IS NULL THEN
        PERFORM throttling_save('{"marks": {}, "flights": {}, "level": 0, "locked": 0}', rule);
    ELSE
        UPDATE throttling_bucket b
           SET state = jsonb_build_object(
                   'marks', '{}'::jsonb, 'flights', flights, 'level', 0, 'locked', 0, 'at', b.state->'at')
         WHERE b.owner = rule->>'owner' AND b.purpose = rule->>'purpose' AND b.key = rule->>'key';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION throttling_lock(rules jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    bucket text;
BEGIN
    FOR bucket IN SELECT concat_ws(E'\x1f', r->>'owner', r->>'purpose', r->>'key') FROM jsonb_array_elements(rules) r LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended(bucket, 6238));
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION throttling_expand(operations jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
SELECT jsonb_agg(o ORDER BY o->>'owner' COLLATE "C", o->>'purpose' COLLATE "C", o->>'key' COLLATE "C", o->>'do' = 'clear')
  FROM (SELECT o FROM jsonb_array_elements(operations) o WHERE o->>'key' IS NOT NULL
        UNION ALL
        SELECT o || jsonb_build_object('key', b.key) FROM jsonb_array_elements(operations) o
          JOIN throttling_bucket b ON b.owner = o->>'owner' AND b.purpose = o->>'purpose'
         WHERE o->>'key' IS NULL) expanded
$$;

-- rules: sorted by bucket. id NULL: only look. Answers {"granted", "at", "verdicts"}; a refusal writes nothing.
CREATE OR REPLACE FUNCTION throttling_reserve(rules jsonb, id text, ttl bigint) RETURNS jsonb LANGUAGE plpgsql
SET lock_timeout = '2s' AS $$
DECLARE
    now_ms bigint; rule jsonb; state jsonb; verdict jsonb;
    states jsonb := '[]'; verdicts jsonb := '[]'; granted boolean := true; i int := 0;
BEGIN
    IF id IS NOT NULL THEN
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

-- operations: rules with "do": failed, passed, released, told (of no reservation) or clear (key NULL: all keys). Answers one
-- state for each rule settled, with the locks that nobody was told of; a release tells none.
CREATE OR REPLACE FUNCTION throttling_settle(operations jsonb, id text, at bigint) RETURNS jsonb LANGUAGE plpgsql
SET lock_timeout = '2s' AS $$
DECLARE
    expanded jsonb := coalesce(throttling_expand(operations), '[]');
    now_ms bigint; rule jsonb; state jsonb; unsaid jsonb; answer jsonb := '[]';
BEGIN
    PERFORM throttling_lock(expanded);
    now_ms := throttling_now();
    FOR rule IN SELECT jsonb_array_elements(expanded) LOOP
        IF rule->>'do' = 'clear' THEN
            PERFORM throttling_wipe(rule, now_ms);
        ELSE
            state := throttling_finish(throttling_load(rule, now_ms), rule, now_ms, id, at, rule->>'do');
            unsaid := CASE WHEN rule->>'do' = 'released' THEN '[]' ELSE state->'unsaid' END;
            PERFORM throttling_save(CASE WHEN rule->>'do' = 'released' THEN state ELSE state - 'unsaid' END, rule);
            answer := answer || jsonb_build_array(jsonb_build_object(
                'hit', state->'hit', 'level', state->'level', 'locked', state->'locked', 'unsaid', unsaid));
        END IF;
    END LOOP;
    RETURN answer;
END $$;
