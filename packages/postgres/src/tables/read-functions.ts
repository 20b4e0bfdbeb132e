/*
 * The functions that read. Each is one statement, and so sees one moment. A row says in `kind` what it is; it may have
 * values of the row before it in the columns of other kinds.
 */

/** Connections keep plans, and one that was made while a table was small must not scan it later. */
export const INDEXES_ONLY: string = 'SET enable_seqscan = off'

const READS = `LANGUAGE plpgsql STABLE ${INDEXES_ONLY}`

/** Conditions that the indexes of ids answer, and no other index. */
export const withTurnId = (id: string): string =>
  `t.session + 0 = v_id AND hashtextextended(t.turn_id, 0) = hashtextextended(${id}, 0) AND t.turn_id = ${id}`

const withTransitionId = (id: string): string =>
  `h.session + 0 = v_id AND hashtextextended(h.transition_id, 0) = hashtextextended(${id}, 0) AND h.transition_id = ${id}`

export const withPartId = (seq: string, list: string, id: string): string =>
  `p.session + 0 = v_id AND p.seq + 0 = ${seq} AND p.list + 0 = ${list} AND p.part_id = ${id}
    AND hashtextextended(p.part_id, p.seq::bigint * 2 + p.list) = hashtextextended(${id}, ${seq}::bigint * 2 + ${list})`

/** `id`: of a session that exists, and is in the scope. */
const FIND = `
  SELECT s.id, s.revision, s.turn_count, (SELECT t.seq FROM {turns} AS t WHERE t.session = s.id ORDER BY t.seq DESC LIMIT 1)
    INTO id, revision, turn_count, last_seq
    FROM {sessions} AS s
    WHERE s.session_id = p_session_id AND (p_any OR s.workspace_id IS NOT DISTINCT FROM p_workspace);
  IF NOT FOUND THEN RETURN; END IF;
  v_id := id;
  kind := 'session';
  RETURN NEXT;`

/**
 * The turns of a range: `last`, the last `p_first`; `from`, at most `p_limit` from `p_first` on; `id`, the last one with
 * `p_turn_id`. With `p_parts` also the parts of those that are opened.
 */
const READ_TURNS = `
CREATE FUNCTION {read_turns_1}(
  p_session_id text, p_any boolean, p_workspace text, p_range text, p_first bigint, p_limit bigint, p_turn_id text,
  p_parts boolean
) RETURNS TABLE (
  kind text, id bigint, revision bigint, turn_count integer, last_seq integer, seq integer, turn_id text,
  tool_calls integer, items integer, list integer, part_id text, body text
) ${READS} AS $function$
#variable_conflict use_variable
DECLARE
  v_id bigint; v_first bigint; v_end bigint; v_opened boolean := false;
BEGIN ${FIND}
  IF p_range = 'last' THEN
    v_first := turn_count - p_first;
    v_end := turn_count;
  ELSIF p_range = 'from' THEN
    v_first := p_first;
    v_end := p_first + p_limit;
  ELSE
    SELECT t.seq INTO v_first FROM {turns} AS t
    WHERE ${withTurnId('p_turn_id')}
    ORDER BY t.seq DESC LIMIT 1;
    v_end := v_first + 1;
  END IF;
  kind := 'turn';
  FOR seq, turn_id, tool_calls, items, body IN
    SELECT t.seq, t.turn_id, t.tool_calls, t.items, t.body FROM {turns} AS t
    WHERE t.session = v_id AND t.seq >= v_first AND t.seq < v_end ORDER BY t.seq
  LOOP
    v_opened := v_opened OR tool_calls IS NOT NULL;
    RETURN NEXT;
  END LOOP;
  IF NOT (p_parts AND v_opened) THEN RETURN; END IF;
  kind := 'part';
  FOR seq, list, part_id, body IN
    SELECT p.seq, p.list, p.part_id, p.body FROM {parts} AS p
    WHERE p.session = v_id AND p.seq >= v_first AND p.seq < v_end ORDER BY p.seq, p.list, p.place
  LOOP
    RETURN NEXT;
  END LOOP;
END $function$;
`

/** A whole session, and what it remembers. */
const READ_SESSION = `
CREATE FUNCTION {read_session_1}(p_session_id text, p_any boolean, p_workspace text) RETURNS TABLE (
  kind text, id bigint, session_id text, workspace_id text, parent_session_id text, agent_id text, created_at text,
  updated_at text, metadata text, extra text, revision bigint, turn_count integer, transition_count integer,
  last_seq integer, last_turn_facts text, last_turn_prompt text, seq integer, turn_id text, tool_calls integer,
  items integer, list integer, part_id text, transition_id text, key text, body text
) ${READS} AS $function$
#variable_conflict use_variable
DECLARE
  v_id bigint;
BEGIN
  SELECT s.id, s.session_id, s.workspace_id, s.parent_session_id, s.agent_id, s.created_at, s.updated_at, s.metadata,
      s.extra, s.revision, s.turn_count, s.transition_count, (SELECT t.seq FROM {turns} AS t WHERE t.session = s.id ORDER BY t.seq DESC LIMIT 1),
      f.last_turn_facts, f.last_turn_prompt
    INTO id, session_id, workspace_id, parent_session_id, agent_id, created_at, updated_at, metadata, extra, revision,
      turn_count, transition_count, last_seq, last_turn_facts, last_turn_prompt
    FROM {sessions} AS s
    LEFT JOIN {turns} AS l ON l.session = s.id AND l.seq = s.turn_count - 1
    LEFT JOIN LATERAL {last_turn_1}(l.body) AS f ON true
    WHERE s.session_id = p_session_id AND (p_any OR s.workspace_id IS NOT DISTINCT FROM p_workspace);
  IF NOT FOUND THEN RETURN; END IF;
  v_id := id;
  kind := 'session';
  RETURN NEXT;
  metadata := null;
  extra := null;
  kind := 'turn';
  FOR seq, turn_id, tool_calls, items, body IN
    SELECT t.seq, t.turn_id, t.tool_calls, t.items, t.body FROM {turns} AS t WHERE t.session = v_id ORDER BY t.seq
  LOOP
    RETURN NEXT;
  END LOOP;
  kind := 'part';
  FOR seq, list, part_id, body IN
    SELECT p.seq, p.list, p.part_id, p.body FROM {parts} AS p WHERE p.session = v_id ORDER BY p.seq, p.list, p.place
  LOOP
    RETURN NEXT;
  END LOOP;
  kind := 'transition';
  FOR transition_id, turn_id, body IN
    SELECT h.transition_id, h.turn_id, h.body FROM {transitions} AS h WHERE h.session = v_id ORDER BY h.seq
  LOOP
    RETURN NEXT;
  END LOOP;
  kind := 'key';
  FOR key, body IN SELECT k.key, k.body FROM {keys} AS k WHERE k.session = v_id ORDER BY k.seq LOOP
    RETURN NEXT;
  END LOOP;
END $function$;
`

/** The last turn with an id: with its body if it is whole, else with a range of one list of its parts. */
const READ_PARTS = `
CREATE FUNCTION {read_parts_1}(
  p_session_id text, p_any boolean, p_workspace text, p_turn_id text, p_list integer, p_range text, p_first bigint,
  p_limit bigint
) RETURNS TABLE (
  kind text, id bigint, revision bigint, turn_count integer, last_seq integer, seq integer, turn_id text,
  tool_calls integer, items integer, place integer, part_id text, body text
) ${READS} AS $function$
#variable_conflict use_variable
DECLARE
  v_id bigint; v_places bigint; v_count bigint; v_first bigint; v_limit bigint;
BEGIN ${FIND}
  SELECT t.seq, t.turn_id, t.tool_calls, t.items, CASE WHEN t.tool_calls IS NULL THEN t.body END
    INTO seq, turn_id, tool_calls, items, body
    FROM {turns} AS t
    WHERE ${withTurnId('p_turn_id')}
    ORDER BY t.seq DESC LIMIT 1;
  IF NOT FOUND THEN RETURN; END IF;
  kind := 'turn';
  RETURN NEXT;
  IF tool_calls IS NULL THEN RETURN; END IF;
  v_count := CASE p_list WHEN 0 THEN tool_calls ELSE items END;
  SELECT p.place + 1 INTO v_places FROM {parts} AS p WHERE p.session = v_id AND p.seq = seq AND p.list = p_list
    ORDER BY p.place DESC LIMIT 1;
  v_first := CASE p_range WHEN 'last' THEN greatest(v_count - p_first, 0) ELSE least(p_first, v_count) END;
  v_limit := least(CASE p_range WHEN 'last' THEN p_first ELSE p_limit END, v_count - v_first);
  kind := 'part';
  IF v_places = v_count THEN
    FOR place, part_id, body IN
      SELECT p.place, p.part_id, p.body FROM {parts} AS p
      WHERE p.session = v_id AND p.seq = seq AND p.list = p_list AND p.place >= v_first AND p.place < v_first + v_limit
      ORDER BY p.place
    LOOP
      RETURN NEXT;
    END LOOP;
  ELSIF v_first <= v_count - v_first - v_limit THEN
    -- Gaps: a place is not an index.
    FOR place, part_id, body IN
      SELECT p.place, p.part_id, p.body FROM {parts} AS p
      WHERE p.session = v_id AND p.seq = seq AND p.list = p_list ORDER BY p.place LIMIT v_limit OFFSET v_first
    LOOP
      RETURN NEXT;
    END LOOP;
  ELSE
    FOR place, part_id, body IN
      SELECT p.place, p.part_id, p.body FROM {parts} AS p
      WHERE p.session = v_id AND p.seq = seq AND p.list = p_list
      ORDER BY p.place DESC LIMIT v_limit OFFSET v_count - v_first - v_limit
    LOOP
      RETURN NEXT;
    END LOOP;
  END IF;
END $function$;
`

/**
 * What a change asks: see `Lookups` of core. The arrays from `p_turns` on have an element for each turn: how many parts it
 * has if it is appended (-1: its parts are needed in any case; null: it is not appended). Those from `p_part_turns` on
 * have one for each part: the number of its turn, from 1.
 */
const LOOK_UP = `
CREATE FUNCTION {look_up_1}(
  p_session_id text, p_any boolean, p_workspace text, p_before bigint, p_metadata boolean, p_key text, p_transitions text[],
  p_turns text[], p_tool_calls integer[], p_items integer[], p_part_turns integer[], p_part_lists integer[],
  p_part_ids text[], p_counts boolean[]
) RETURNS TABLE (
  kind text, id bigint, workspace_id text, agent_id text, updated_at text, ended integer, metadata text, revision bigint,
  turn_count integer, transition_count integer, last_seq integer, turn integer, seq integer, turn_id text,
  tool_calls integer, items integer, bytes bigint, list integer, place integer, part_id text, parts bigint,
  transition_id text, key text, body text
) ${READS} AS $function$
#variable_conflict use_variable
DECLARE
  v_id bigint; v_seqs integer[] := '{}'; v_number integer;
BEGIN
  SELECT s.id, s.workspace_id, s.agent_id, s.updated_at, s.ended, CASE WHEN p_metadata THEN s.metadata END, s.revision,
      s.turn_count, s.transition_count, (SELECT t.seq FROM {turns} AS t WHERE t.session = s.id ORDER BY t.seq DESC LIMIT 1)
    INTO id, workspace_id, agent_id, updated_at, ended, metadata, revision, turn_count, transition_count, last_seq
    FROM {sessions} AS s WHERE s.session_id = p_session_id;
  IF NOT FOUND THEN RETURN; END IF;
  kind := 'session';
  RETURN NEXT;
  IF NOT p_any AND workspace_id IS DISTINCT FROM p_workspace THEN RETURN; END IF;
  v_id := id;
  metadata := null;
  FOR v_number IN 1 .. cardinality(p_turns) LOOP
    turn := v_number;
    seq := null;
    SELECT t.seq, t.turn_id, t.tool_calls, t.items, t.bytes, t.body INTO seq, turn_id, tool_calls, items, bytes, body
      FROM {turns} AS t
      WHERE ${withTurnId('p_turns[v_number]')} AND t.seq + 0 < coalesce(p_before, 2147483648)
      ORDER BY t.seq DESC LIMIT 1;
    v_seqs[v_number] := seq;
    CONTINUE WHEN seq IS NULL;
    kind := 'turn';
    RETURN NEXT;
    IF p_tool_calls[v_number] = -1 OR (p_tool_calls[v_number] = tool_calls AND p_items[v_number] = items) THEN
      kind := 'whole';
      FOR list, part_id, body IN
        SELECT p.list, p.part_id, p.body FROM {parts} AS p
        WHERE p.session = v_id AND p.seq = v_seqs[v_number] ORDER BY p.list, p.place
      LOOP
        RETURN NEXT;
      END LOOP;
    END IF;
  END LOOP;
  kind := 'part';
  FOR v_number IN 1 .. cardinality(p_part_turns) LOOP
    turn := p_part_turns[v_number];
    seq := v_seqs[turn];
    FOR list, place, part_id, body IN
      SELECT p.list, p.place, p.part_id, p.body FROM {parts} AS p
      WHERE ${withPartId('v_seqs[turn]', 'p_part_lists[v_number]', 'p_part_ids[v_number]')}
      ORDER BY p.place
    LOOP
      IF p_counts[v_number] THEN
        SELECT count(*) INTO parts FROM {parts} AS p
        WHERE p.session = v_id AND p.seq = v_seqs[turn] AND p.list = p_part_lists[v_number] AND p.place >= place;
      END IF;
      RETURN NEXT;
    END LOOP;
  END LOOP;
  kind := 'transition';
  FOR v_number IN 1 .. cardinality(p_transitions) LOOP
    transition_id := null;
    SELECT h.transition_id, h.turn_id, h.body INTO transition_id, turn_id, body FROM {transitions} AS h
      WHERE ${withTransitionId('p_transitions[v_number]')}
      ORDER BY h.seq LIMIT 1;
    CONTINUE WHEN transition_id IS NULL;
    IF p_before IS NOT NULL THEN
      SELECT min(t.seq) INTO seq FROM {turns} AS t
      WHERE ${withTurnId('turn_id')};
    END IF;
    RETURN NEXT;
  END LOOP;
  kind := 'key';
  FOR key, body IN SELECT k.key, k.body FROM {keys} AS k WHERE k.session + 0 = v_id AND k.key = p_key LOOP
    RETURN NEXT;
  END LOOP;
END $function$;
`

export const READ_FUNCTIONS: string = READ_TURNS + READ_SESSION + READ_PARTS + LOOK_UP
