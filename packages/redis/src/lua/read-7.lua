-- Reads the head, a range of turns and a range of transitions at one moment. A limit on bytes keeps a long session from
-- blocking the server.
--
-- KEYS[1]  head
-- KEYS[2]  turns
-- KEYS[3]  ids
-- KEYS[4]  transitions
-- KEYS[5]  results of operations
-- KEYS[6]  parts of turns
-- KEYS[7]  remembered changes
-- ARGV[1]  scope: '*', or a workspace as in the head
-- ARGV[2]  which turns: 'last', 'from' or 'id'
-- ARGV[3]  the number of turns for 'last', the first index for 'from', the id field for 'id'
-- ARGV[4]  for 'from': most turns
-- ARGV[5]  first transition
-- ARGV[6]  most transitions
-- ARGV[7]  limit in bytes
--
-- Returns 'ok', v, g, r, w, n, m, ws, f, d, u, uk, us, ck, cs, index of the first turn, index after the last turn of
--           the range, number of turns, number of transitions, number of ids, the turns, the transitions
--      or 'missing', 'elsewhere' for another workspace | 'newer', version | 'corrupt', reason
-- include session
local head_key, turns_key, ids_key, transitions_key = unpack(KEYS, 1, 4)
local scope, kind, start, most_turns, first_transition, most_transitions, byte_limit = unpack(ARGV, 1, 7)
local head, refusal = read_head(KEYS, scope)
if not head then return refusal end
local damaged = damage(head, turns_key, transitions_key)
if damaged then return damaged end
local texts = redis.call('HMGET', head_key, 'f', 'd', 'u')
if not (texts[1] and texts[2] and texts[3]) then return { 'corrupt', 'it lacks a member' } end

local first, turns_end
if kind == 'last' then
  first, turns_end = math.max(0, head.n - tonumber(start)), head.n
elseif kind == 'from' then
  first = math.min(tonumber(start), head.n)
  turns_end = math.min(head.n, first + tonumber(most_turns))
else
  local places = redis.call('HGET', ids_key, start)
  first = places and last_place(places) or head.n
  if places and first >= head.n then return { 'corrupt', 'the place of a turn is invalid' } end
  turns_end = math.min(head.n, first + 1)
end

local reply = {
  'ok', SCHEMA, head.g, integer(head.r), integer(head.w), integer(head.n), integer(head.m), head.ws,
  texts[1], texts[2], texts[3], head.uk, head.us, head.ck, head.cs, integer(first), integer(turns_end), '', '',
  integer(redis.call('HLEN', ids_key)),
}
local bytes, limit = 0, tonumber(byte_limit)
-- The text that reaches the limit is still added, whatever its size.
local function add(key, from, to)
  local count = 0
  while from + count < to and (bytes < limit) do
    local part = redis.call('LRANGE', key, from + count, math.min(to, from + count + 64) - 1)
    for _, text in ipairs(part) do
      reply[#reply + 1] = text
      bytes = bytes + #text
      count = count + 1
      if bytes >= limit then break end
    end
    if #part == 0 then break end
  end
  return integer(count)
end
reply[18] = add(turns_key, first, turns_end)
local from = math.min(tonumber(first_transition), head.m)
reply[19] = add(transitions_key, from, math.min(head.m, from + tonumber(most_transitions)))
return reply
