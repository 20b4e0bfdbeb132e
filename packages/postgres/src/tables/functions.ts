import { REMEMBERED_CHANGES } from '@turnstore/core/adapter'
import { LAST_TURN_PROMPT } from '@turnstore/core/adapter/sql'
import { INDEXES_ONLY, READ_FUNCTIONS, withPartId, withTurnId } from './read-functions.js'

/*
 * The functions in the database. With them a write is one statement: one round trip, one transaction, and plans that
 * each connection keeps. They run with the rights of the caller.
 *
 * The names end with the version of the tables, so that a process of an older version fails instead of writing to newer
 * tables.
 */

/**
 * The place after the last row. Not `max`: without statistics, Postgres may compute it from an index that has another
 * order.
 */
const after = (table: string, place: string, rows: string): string =>
  `coalesce((SELECT x.${place} FROM {${table}} AS x WHERE ${rows.replaceAll(/(\w+) =/g, 'x.$1 =')} ORDER BY x.${place} DESC LIMIT 1), -1) + 1`

/** The length of `recent`: a dozen writes, or more. */
const RECENT = 480

/** After a statement that must change so many rows. Otherwise the session is damaged, and the write is undone. */
const counted = (rows: string): string => `GET DIAGNOSTICS v_rows = ROW_COUNT;
      IF v_rows <> ${rows} THEN RAISE EXCEPTION 'rows are missing' USING ERRCODE = 'TS001'; END IF;`

/**
 * Runs operations on a session. `p_args` has their values, one after the other. The result begins with a word:
 *
 * - `ok`, and for each `append`, `step` and `replace` ` revision:turns`, or ` -` if it was skipped
 * - `known revision:turns`: a write with this token has already happened; this is what the session was after it. With
 *   `!` behind it, some of its operations were skipped
 * - `stale revision:turns`: the session is not at `p_revision`, or not the one with `p_id`; nothing is written. With `!`
 *   behind it, a write with this token may have happened, too long ago to be remembered
 * - `none`: there is no such session in the scope
 *
 * `p_id`: null: any; 0: the session must not exist, and the first operation creates it.
 * `recent` has a `token=revision:turns ` or `token=revision:turns! ` for each of the last writes. A write whose answer was lost is sent again and
 * finds itself there; a deletion, in `deletions`.
 */
const WRITE = `
CREATE FUNCTION {write_1}(
  p_session_id text, p_any boolean, p_workspace text, p_id bigint, p_revision bigint, p_token text, p_lock_ms text,
  p_ops text[], p_args text[]
) RETURNS text LANGUAGE plpgsql ${INDEXES_ONLY} AS $function$
DECLARE
  v_id bigint; v_workspace text; v_ended integer; v_revision bigint; v_turns integer; v_transitions integer;
  v_updated_at text; v_updated_key text; v_recent text;
  v_op text; a integer := 0; v_rows integer; v_seq integer; v_last integer; v_place integer; v_known boolean;
  v_bytes bigint; v_added bigint; v_skipped boolean := false; v_missed text := ''; v_noted boolean := false; v_result text := 'ok';
BEGIN
  -- Until the transaction ends.
  PERFORM set_config('lock_timeout', p_lock_ms, true);
  SELECT s.id, s.workspace_id, s.ended, s.revision, s.turn_count, s.transition_count, s.updated_at, s.updated_key, s.recent
    INTO v_id, v_workspace, v_ended, v_revision, v_turns, v_transitions, v_updated_at, v_updated_key, v_recent
    FROM {sessions} AS s WHERE s.session_id = p_session_id FOR NO KEY UPDATE;
  IF p_id > 0 AND v_id IS DISTINCT FROM p_id THEN
    -- Looked at here alone: most writes have no time for another look.
    IF EXISTS (SELECT 1 FROM {deletions} AS d WHERE d.token = p_token) THEN RETURN 'known 0:0'; END IF;
  END IF;
  IF v_id IS NOT NULL THEN
    IF strpos(v_recent, p_token) > 0 THEN
      RETURN 'known ' || substring(v_recent from p_token || '=([0-9]+:[0-9]+!?)');
    END IF;
    IF NOT p_any AND v_workspace IS DISTINCT FROM p_workspace THEN RETURN 'none'; END IF;
    IF v_id <> p_id OR v_revision <> p_revision THEN
      v_known := v_id = p_id AND (
        length(v_recent) < ${RECENT} OR substring(v_recent from '=([0-9]+):')::bigint <= p_revision + 1
      );
      RETURN 'stale ' || v_revision || ':' || v_turns || CASE WHEN v_known THEN '' ELSE '!' END;
    END IF;
  ELSIF p_id = 0 THEN
    INSERT INTO {sessions} AS s (
      session_id, workspace_id, parent_session_id, agent_id, created_at, created_key, updated_at, updated_key, ended,
      metadata, extra, revision, turn_count, transition_count
    ) VALUES (
      p_args[1], p_args[2], p_args[3], p_args[4], p_args[5], p_args[6], p_args[7], p_args[8], p_args[9]::integer,
      p_args[10], p_args[11], p_args[12]::bigint, p_args[13]::integer, p_args[14]::integer
    ) ON CONFLICT (session_id) DO NOTHING
    RETURNING s.id, s.revision, s.turn_count, s.transition_count, s.updated_at, s.updated_key, s.recent
    INTO v_id, v_revision, v_turns, v_transitions, v_updated_at, v_updated_key, v_recent;
    IF NOT FOUND THEN RETURN 'stale!'; END IF;
    v_noted := true;
  ELSE
    RETURN 'none';
  END IF;

  FOREACH v_op IN ARRAY p_ops LOOP
    CASE v_op
    WHEN 'append' THEN
      SELECT CASE WHEN v_last = v_turns - 1 THEN v_last ELSE (
        SELECT t.seq FROM {turns} AS t WHERE t.session = v_id ORDER BY t.seq DESC LIMIT 1
      ) END, EXISTS (
        SELECT 1 FROM {turns} AS t
        WHERE ${withTurnId('p_args[a + 1]')}
      ) INTO v_last, v_known;
      v_skipped := v_known OR coalesce(v_last, -1) <> v_turns - 1 OR v_revision >= ${Number.MAX_SAFE_INTEGER}
        OR (v_ended <> 0 AND p_args[a + 8] = '1') OR coalesce(p_args[a + 9]::bigint <> v_revision, false);
      IF v_skipped THEN
        v_missed := '!';
        v_result := v_result || ' -';
      ELSE
        v_seq := v_turns;
        INSERT INTO {turns} (session, seq, turn_id, body, tool_calls, items, bytes)
        VALUES (v_id, v_seq, p_args[a + 1], p_args[a + 2], p_args[a + 3]::integer, p_args[a + 4]::integer,
          p_args[a + 5]::bigint);
        v_turns := v_turns + 1;
        v_revision := v_revision + 1;
        IF p_args[a + 7] > v_updated_key COLLATE "C" THEN
          v_updated_at := p_args[a + 6]; v_updated_key := p_args[a + 7];
        END IF;
        v_last := v_seq;
        v_noted := true;
        v_result := v_result || ' ' || v_revision || ':' || v_turns;
      END IF;
      a := a + 9;
    WHEN 'appended_part' THEN
      IF NOT v_skipped THEN
        INSERT INTO {parts} (session, seq, list, place, part_id, body, running)
        VALUES (v_id, v_seq, p_args[a + 1]::integer, ${after('parts', 'place', 'session = v_id AND seq = v_seq AND list = p_args[a + 1]::integer')},
          p_args[a + 2], p_args[a + 3], p_args[a + 4]::integer);
      END IF;
      a := a + 4;
    WHEN 'step' THEN
      v_bytes := null;
      SELECT t.seq, t.bytes INTO v_seq, v_bytes FROM {turns} AS t
        WHERE ${withTurnId('p_args[a + 1]')}
        ORDER BY t.seq DESC LIMIT 1;
      v_skipped := v_bytes IS NULL OR v_seq >= v_turns OR v_revision >= ${Number.MAX_SAFE_INTEGER}
        OR coalesce(p_args[a + 10]::bigint <> v_revision, false);
      IF NOT v_skipped THEN
        SELECT CASE WHEN v_last = v_turns - 1 THEN v_last ELSE (
          SELECT t.seq FROM {turns} AS t WHERE t.session = v_id ORDER BY t.seq DESC LIMIT 1
        ) END, (
          SELECT p.place FROM {parts} AS p
          WHERE p.session = v_id AND p.seq = v_seq AND p.list = p_args[a + 2]::integer ORDER BY p.place DESC LIMIT 1
        ), (
          SELECT count(*) FROM {parts} AS p
          WHERE ${withPartId('v_seq', 'p_args[a + 2]::integer', 'p_args[a + 3]')}
        ) INTO v_last, v_place, v_rows;
        v_known := v_rows > 0;
        v_added := p_args[a + 6]::bigint;
        IF v_known THEN
          -- A call that runs is replaced by its result, whatever that is.
          v_place := null;
          SELECT p.place, v_added - octet_length(p.body) INTO v_place, v_added FROM {parts} AS p
          WHERE v_rows = 1 AND p_args[a + 5] = '0' AND p.running = 1
            AND ${withPartId('v_seq', 'p_args[a + 2]::integer', 'p_args[a + 3]')};
        END IF;
        v_skipped := v_last <> v_turns - 1 OR (v_known AND v_place IS NULL)
          OR v_bytes + v_added > p_args[a + 7]::bigint;
      END IF;
      IF v_skipped THEN
        v_missed := '!';
        v_result := v_result || ' -';
      ELSE
        IF v_known THEN
          UPDATE {parts} AS p SET body = p_args[a + 4], running = 0
          WHERE p.session = v_id AND p.seq = v_seq AND p.list = p_args[a + 2]::integer AND p.place = v_place;
          UPDATE {turns} AS t SET bytes = t.bytes + v_added WHERE t.session = v_id AND t.seq = v_seq;
        ELSE
          INSERT INTO {parts} (session, seq, list, place, part_id, body, running)
          VALUES (v_id, v_seq, p_args[a + 2]::integer, coalesce(v_place, -1) + 1, p_args[a + 3], p_args[a + 4],
            p_args[a + 5]::integer);
          UPDATE {turns} AS t SET bytes = t.bytes + v_added,
            tool_calls = t.tool_calls + CASE p_args[a + 2] WHEN '0' THEN 1 ELSE 0 END,
            items = t.items + CASE p_args[a + 2] WHEN '1' THEN 1 ELSE 0 END
          WHERE t.session = v_id AND t.seq = v_seq;
        END IF;
        v_revision := v_revision + 1;
        IF p_args[a + 9] > v_updated_key COLLATE "C" THEN
          v_updated_at := p_args[a + 8]; v_updated_key := p_args[a + 9];
        END IF;
        v_noted := true;
        v_result := v_result || ' ' || v_revision || ':' || v_turns;
      END IF;
      a := a + 10;
    WHEN 'turn' THEN
      INSERT INTO {turns} (session, seq, turn_id, body, tool_calls, items, bytes)
      VALUES (v_id, p_args[a + 1]::integer, p_args[a + 2], p_args[a + 3], p_args[a + 4]::integer, p_args[a + 5]::integer,
        p_args[a + 6]::bigint);
      a := a + 6;
    WHEN 'part' THEN
      INSERT INTO {parts} (session, seq, list, place, part_id, body, running)
      VALUES (v_id, p_args[a + 1]::integer, p_args[a + 2]::integer,
        ${after('parts', 'place', 'session = v_id AND seq = p_args[a + 1]::integer AND list = p_args[a + 2]::integer')},
        p_args[a + 3], p_args[a + 4], p_args[a + 5]::integer);
      a := a + 5;
    WHEN 'replace_part' THEN
      UPDATE {parts} AS p SET body = p_args[a + 4], running = p_args[a + 5]::integer
      WHERE p.session = v_id AND p.seq = p_args[a + 1]::integer AND p.list = p_args[a + 2]::integer
        AND p.place = p_args[a + 3]::integer;
      ${counted('1')}
      a := a + 5;
    WHEN 'remove_part' THEN
      DELETE FROM {parts} AS p
      WHERE p.session = v_id AND p.seq = p_args[a + 1]::integer AND p.list = p_args[a + 2]::integer
        AND p.place = p_args[a + 3]::integer;
      ${counted('1')}
      a := a + 3;
    WHEN 'turn_counts' THEN
      UPDATE {turns} AS t SET tool_calls = p_args[a + 2]::integer, items = p_args[a + 3]::integer, bytes = p_args[a + 4]::bigint
      WHERE t.session = v_id AND t.seq = p_args[a + 1]::integer AND t.tool_calls IS NOT NULL;
      ${counted('1')}
      a := a + 4;
    WHEN 'turn_head' THEN
      UPDATE {turns} AS t SET body = p_args[a + 2]
      WHERE t.session = v_id AND t.seq = p_args[a + 1]::integer AND t.tool_calls IS NOT NULL;
      ${counted('1')}
      a := a + 2;
    WHEN 'replace_turn' THEN
      UPDATE {turns} AS t SET body = p_args[a + 2]
      WHERE t.session = v_id AND t.seq = p_args[a + 1]::integer AND t.tool_calls IS NULL;
      ${counted('1')}
      a := a + 2;
    WHEN 'open_turn' THEN
      UPDATE {turns} AS t SET body = p_args[a + 2], tool_calls = p_args[a + 3]::integer, items = p_args[a + 4]::integer,
        bytes = p_args[a + 5]::bigint
      WHERE t.session = v_id AND t.seq = p_args[a + 1]::integer AND t.tool_calls IS NULL;
      ${counted('1')}
      a := a + 5;
    WHEN 'transition' THEN
      INSERT INTO {transitions} (session, seq, transition_id, turn_id, body)
      VALUES (v_id, ${after('transitions', 'seq', 'session = v_id')}, p_args[a + 1], p_args[a + 2], p_args[a + 3]);
      a := a + 3;
    WHEN 'head' THEN
      v_updated_at := p_args[a + 1];
      v_updated_key := p_args[a + 2];
      v_revision := p_args[a + 3]::bigint;
      v_turns := p_args[a + 4]::integer;
      v_transitions := v_transitions + p_args[a + 5]::integer;
      v_noted := true;
      a := a + 5;
    WHEN 'metadata' THEN
      UPDATE {sessions} AS s SET metadata = p_args[a + 1] WHERE s.id = v_id;
      a := a + 1;
    WHEN 'session' THEN
      UPDATE {sessions} AS s SET agent_id = p_args[a + 1], ended = p_args[a + 2]::integer WHERE s.id = v_id;
      a := a + 2;
    WHEN 'remember' THEN
      INSERT INTO {keys} (session, seq, key, body)
      VALUES (v_id, ${after('keys', 'seq', 'session = v_id')}, p_args[a + 1], p_args[a + 2]);
      DELETE FROM {keys} AS k WHERE k.session = v_id
        AND k.seq <= (SELECT l.seq FROM {keys} AS l WHERE l.session = v_id ORDER BY l.seq DESC LIMIT 1) - ${REMEMBERED_CHANGES};
      a := a + 2;
    WHEN 'rewind' THEN
      DELETE FROM {transitions} AS h WHERE h.session = v_id AND p_args[a + 1]::integer <= (
        SELECT min(t.seq) FROM {turns} AS t
        WHERE ${withTurnId('h.turn_id')}
      );
      SELECT count(*) INTO v_transitions FROM {transitions} AS h WHERE h.session = v_id;
      DELETE FROM {parts} AS p WHERE p.session = v_id AND p.seq >= p_args[a + 1]::integer;
      DELETE FROM {turns} AS t WHERE t.session = v_id AND t.seq >= p_args[a + 1]::integer;
      ${counted('v_turns - p_args[a + 1]::integer')}
      a := a + 1;
    WHEN 'clear' THEN
      DELETE FROM {parts} AS p WHERE p.session = v_id;
      DELETE FROM {transitions} AS h WHERE h.session = v_id;
      DELETE FROM {turns} AS t WHERE t.session = v_id;
      ${counted('v_turns')}
    WHEN 'create' THEN
      a := a + 14;
    WHEN 'replace' THEN
      UPDATE {sessions} AS s SET parent_session_id = p_args[a + 3], agent_id = p_args[a + 4], created_at = p_args[a + 5],
        created_key = p_args[a + 6], ended = p_args[a + 9]::integer, metadata = p_args[a + 10], extra = p_args[a + 11]
      WHERE s.id = v_id;
      v_updated_at := p_args[a + 7];
      v_updated_key := p_args[a + 8];
      v_revision := v_revision + 1;
      v_turns := p_args[a + 13]::integer;
      v_transitions := p_args[a + 14]::integer;
      v_noted := true;
      v_result := v_result || ' ' || v_revision || ':' || v_turns;
      a := a + 14;
    WHEN 'delete' THEN
      DELETE FROM {keys} AS k WHERE k.session = v_id;
      DELETE FROM {transitions} AS h WHERE h.session = v_id;
      DELETE FROM {parts} AS p WHERE p.session = v_id;
      DELETE FROM {turns} AS t WHERE t.session = v_id;
      DELETE FROM {sessions} AS s WHERE s.id = v_id;
      -- Some of the old ones, so that a deletion costs the same after many.
      DELETE FROM {deletions} AS d WHERE d.token IN (
        SELECT o.token FROM {deletions} AS o WHERE o.at < now() - interval '1 hour'
        ORDER BY o.at LIMIT 100 FOR UPDATE SKIP LOCKED
      );
      INSERT INTO {deletions} (token, at) VALUES (p_token, now());
    END CASE;
  END LOOP;

  IF v_noted THEN
    UPDATE {sessions} AS s SET revision = v_revision, turn_count = v_turns, transition_count = v_transitions,
      updated_at = v_updated_at, updated_key = v_updated_key,
      recent = right(v_recent || p_token || '=' || v_revision || ':' || v_turns || v_missed || ' ', ${RECENT})
    WHERE s.id = v_id;
  END IF;
  RETURN v_result;
END $function$;
`

/** What a listing shows of the last turn. Null for a body that is no JSON. */
const LAST_TURN = `
CREATE FUNCTION {last_turn_1}(p_body text, OUT last_turn_facts text, OUT last_turn_prompt text)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $function$
DECLARE
  v_turn json;
BEGIN
  -- Postgres reads escapes, and refuses those of a NUL and of lone surrogates. So it reads an escaped backslash instead.
  v_turn := replace(p_body, '\\u', '\\u005Cu')::json;
  last_turn_facts := replace(
    json_build_array(v_turn -> 'turn_id', v_turn -> 'status', v_turn -> 'started_at')::text, '\\u005Cu', '\\u'
  );
  last_turn_prompt := left(replace((v_turn -> 'prompt')::text, '\\u005Cu', '\\u'), ${LAST_TURN_PROMPT});
EXCEPTION WHEN data_exception OR invalid_text_representation THEN
  last_turn_facts := null;
END $function$;
`

export const FUNCTIONS: string = LAST_TURN + READ_FUNCTIONS + WRITE
