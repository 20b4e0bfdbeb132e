-- Reads the head of a session, a stretch of its turns and a stretch of its transitions, all of one moment, up
-- to a number of bytes, so that a long session does not hold up the server.
--
-- KEYS  1 head, 2 turns, 3 ids, 4 transitions
-- ARGV  1 scope: '*' or a workspace as in the head, 2 which turns: 'last', 'from' or 'id',
--       3 how many, the first index, or the id field, 4 how many at most behind the first,
--       5 first transition, 6 how many at most, 7 bytes
-- reply 'ok', v, g, r, w, n, m, ws, f, d, u, uk, us, ck, cs, index of the first turn, index behind the last one
--         that is meant, number of turns, number of transitions, number of ids, the turns, the transitions
--       'missing' | 'newer', version | 'corrupt', reason
-- include session
local head, refusal = read_head(KEYS, ARGV[1])
if not head then return refusal end
local damaged = damage(head, KEYS[2], KEYS[4])
if damaged then return damaged end
local texts = redis.call('HMGET', KEYS[1], 'f', 'd', 'u')
if not (texts[1] and texts[2] and texts[3]) then return { 'corrupt', 'it lacks a member' } end

local first, behind
if ARGV[2] == 'last' then
  first, behind = math.max(0, head.n - tonumber(ARGV[3])), head.n
elseif ARGV[2] == 'from' then
  first = math.min(tonumber(ARGV[3]), head.n)
  behind = math.min(head.n, first + tonumber(ARGV[4]))
else
  local places = redis.call('HGET', KEYS[3], ARGV[3])
  first = places and last_place(places) or head.n
  if places and first >= head.n then return { 'corrupt', 'the place of a turn is none' } end
  behind = math.min(head.n, first + 1)
end

local reply = {
  'ok', SCHEMA, head.g, integer(head.r), integer(head.w), integer(head.n), integer(head.m), head.ws,
  texts[1], texts[2], texts[3], head.uk, head.us, head.ck, head.cs, integer(first), integer(behind), '', '',
  integer(redis.call('HLEN', KEYS[3])),
}
local bytes, limit = 0, tonumber(ARGV[7])
-- At least one, however large it is.
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
reply[18] = add(KEYS[2], first, behind)
local from = math.min(tonumber(ARGV[5]), head.m)
reply[19] = add(KEYS[4], from, math.min(head.m, from + tonumber(ARGV[6])))
return reply
