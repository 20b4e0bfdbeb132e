-- Reads a range of the parts of the last turn with an id. A limit on bytes keeps a large turn from blocking the server: the
-- next call goes on where this one ended, and gives what has changed in between.
--
-- KEYS[1]  head
-- KEYS[2]  turns
-- KEYS[3]  ids
-- KEYS[4]  transitions
-- KEYS[5]  results of operations
-- KEYS[6]  parts
-- KEYS[7]  remembered changes
-- ARGV[1]  scope: '*', or a workspace as in the head
-- ARGV[2]  the id field of the turn
-- ARGV[3]  list: 'c' or 'i'
-- ARGV[4]  'last', 'from' or 'place'
-- ARGV[5]  the number of parts for 'last', the first index for 'from', the place to go on with for 'place'
-- ARGV[6]  most parts
-- ARGV[7]  number of changes that the log had before, or ''
-- ARGV[8]  limit in bytes
--
-- Returns 'ok', c, '' and its text if the turn is whole, else its token, its description, the index of the first part or
--           '', its place, the next place, and the names and values of the parts and of what has changed
--      or 'none': there is no such turn
--      or 'stale': the log does not go back so far
--      or 'missing', 'elsewhere' for another workspace | 'newer', version | 'corrupt', reason
-- include session
-- include parts
-- include places
-- include reading
local _, turns_key, ids_key, _, _, parts_key = unpack(KEYS, 1, 6)
local scope, field, list, kind, start, most, since, limit = unpack(ARGV, 1, 8)
local head, refusal = read_head(KEYS, scope)
if not head then return refusal end
local places = redis.call('HGET', ids_key, field)
if not places then return { 'none' } end
local index, token = last_place(places)
if not index or index >= head.n then return { 'corrupt', 'the place of a turn is invalid' } end
if token == '' then return { 'ok', head.c, '', redis.call('LINDEX', turns_key, index) or '' } end
local text = redis.call('HGET', parts_key, token)
local open = read_open(text)
if not open then return PARTS_MISSING end

local values = {}
if since ~= '' and not add_changes(values, KEYS, head, tonumber(since)) then return { 'stale' } end
local parts = open[list]
local first, place
if kind == 'place' then
  place = tonumber(start)
else
  first = kind == 'last' and math.max(0, parts.count - tonumber(start)) or math.min(tonumber(start), parts.count)
  place = place_at(parts_key, token, list, parts, first)
end
local last = add_parts(values, parts_key, token, list, open, place, tonumber(most), tonumber(limit))
local reply = { 'ok', head.c, token, text, first and integer(first) or '', integer(place), integer(last) }
for _, value in ipairs(values) do reply[#reply + 1] = value end
return reply
