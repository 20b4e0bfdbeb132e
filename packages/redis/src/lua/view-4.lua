-- Reads what the decision about a change depends on: the head, and the turns and transitions with certain ids. Where
-- the change has lost against others time and again, asks them to wait until it is written.
--
-- KEYS  1 head, 2 turns, 3 ids, 4 transitions
-- ARGV  1 scope: '*' or a workspace as in the head, 2 how many turns stay, or '', 3 number of turn ids,
--       4 number of transition ids, 5 token of whoever asks the others to wait, or '', then the fields of the turn ids,
--       then those of the transition ids
-- reply 'ok', v, g, r, w, n, m, ws, f, d, u, uk, us, ck, cs, for each turn id its places or '', the index of the last
--         one that stays or '', and its text or ''; for each transition id its place or '' and its text or ''
--       'missing' | 'held' | 'newer', version | 'corrupt', reason
-- include session
local head, refusal = read_head(KEYS, ARGV[1])
if not head then return refusal end
local damaged = damage(head, KEYS[2], KEYS[4])
if damaged then return damaged end
local texts = redis.call('HMGET', KEYS[1], 'f', 'd', 'u')
if not (texts[1] and texts[2] and texts[3]) then return { 'corrupt', 'it lacks a member' } end
if ARGV[5] ~= '' then
  local now = now_ms()
  if is_held(head, ARGV[5], now) then return { 'held' } end
  redis.call('HSET', KEYS[1], 'h', ARGV[5] .. ' ' .. integer(now + HOLD_MS))
end
local reply = {
  'ok', SCHEMA, head.g, integer(head.r), integer(head.w), integer(head.n), integer(head.m), head.ws,
  texts[1], texts[2], texts[3], head.uk, head.us, head.ck, head.cs,
}
local kept = head.n
if ARGV[2] ~= '' then kept = math.min(kept, tonumber(ARGV[2])) end
local turn_ids, transition_ids = tonumber(ARGV[3]), tonumber(ARGV[4])
local places = get_all(KEYS[3], ARGV, 6, 5 + turn_ids + transition_ids)
for index = 1, turn_ids do
  local known, last, text = places[index] or '', '', ''
  for place in string.gmatch(known, '%S+') do
    local at = tonumber(string.match(place, '^%d+'))
    if not at then return { 'corrupt', 'the place of a turn is none' } end
    if at < kept then last = integer(at) end
  end
  if last ~= '' then text = redis.call('LINDEX', KEYS[2], last) or '' end
  reply[#reply + 1] = known
  reply[#reply + 1] = last
  reply[#reply + 1] = text
end
for index = turn_ids + 1, turn_ids + transition_ids do
  local known = places[index] or ''
  reply[#reply + 1] = known
  local place = known ~= '' and last_place(known)
  if known ~= '' and not place then return { 'corrupt', 'the place of a transition is none' } end
  reply[#reply + 1] = place and redis.call('LINDEX', KEYS[4], place) or ''
end
return reply
