-- Reads what the decision about a change depends on: the head, and the turns and transitions with certain ids.
--
-- KEYS[1]  head
-- KEYS[2]  turns
-- KEYS[3]  ids
-- KEYS[4]  transitions
-- ARGV[1]  scope: '*', or a workspace as in the head
-- ARGV[2]  number of turns to keep, or ''
-- ARGV[3]  number of turn ids
-- ARGV[4]  number of transition ids
-- ARGV[5...] the fields of the turn ids, then those of the transition ids
--
-- Returns 'ok', v, g, r, w, n, m, ws, f, d, u, uk, us, ck, cs; for each turn id its places or '', the index of the last
--           one that is kept or '', and its text or ''; for each transition id its place or '' and its text or ''
--      or 'missing' | 'newer', version | 'corrupt', reason
-- include session
local head_key, turns_key, ids_key, transitions_key = unpack(KEYS, 1, 4)
local scope, keep_turns, turn_id_count, transition_id_count = unpack(ARGV, 1, 4)
local head, refusal = read_head(KEYS, scope)
if not head then return refusal end
local damaged = damage(head, turns_key, transitions_key)
if damaged then return damaged end
local texts = redis.call('HMGET', head_key, 'f', 'd', 'u')
if not (texts[1] and texts[2] and texts[3]) then return { 'corrupt', 'it lacks a member' } end
local reply = {
  'ok', SCHEMA, head.g, integer(head.r), integer(head.w), integer(head.n), integer(head.m), head.ws,
  texts[1], texts[2], texts[3], head.uk, head.us, head.ck, head.cs,
}
local kept = head.n
if keep_turns ~= '' then kept = math.min(kept, tonumber(keep_turns)) end
local turn_ids, transition_ids = tonumber(turn_id_count), tonumber(transition_id_count)
local places = get_all(ids_key, ARGV, 5, 4 + turn_ids + transition_ids)
for index = 1, turn_ids do
  local known, last, text = places[index] or '', '', ''
  for place in string.gmatch(known, '%S+') do
    local at = tonumber(string.match(place, '^%d+'))
    if not at then return { 'corrupt', 'the place of a turn is invalid' } end
    if at < kept then last = integer(at) end
  end
  if last ~= '' then text = redis.call('LINDEX', turns_key, last) or '' end
  reply[#reply + 1] = known
  reply[#reply + 1] = last
  reply[#reply + 1] = text
end
for index = turn_ids + 1, turn_ids + transition_ids do
  local known = places[index] or ''
  reply[#reply + 1] = known
  local place = known ~= '' and last_place(known)
  if known ~= '' and not place then return { 'corrupt', 'the place of a transition is invalid' } end
  reply[#reply + 1] = place and redis.call('LINDEX', transitions_key, place) or ''
end
return reply
