-- A turn is stored whole, as JSON, or open: then the list has its token and the JSON of its head, and its parts are in
-- the hash of parts. No token returns, so what is left of a dropped turn does no harm. The hash has, for each open turn:
--   TOKEN           for tool calls, then for items: how many there are, and the next place; then the bytes of the turn,
--                   and the revision of its last change
--   TOKEN.cPLACE    a tool call (JSON); `i` instead of `c` for an item, here and below
--   TOKEN.c:ID      the entry of an id: place, bytes, digest, digest of name and arguments of a call that has finished,
--                   or '-'. Old records may have an id twice: then the entries are separated by ';'
--   TOKEN.c#BLOCK   how many places of a block are empty, if there are any
-- and for the session:
--   ~0 to ~255      a ring, the log of changes: what a change has altered of existing turns, separated by spaces: fields
--                   of this hash, and '=' with the index of a turn
local BLOCK = 256
local LOG = 256
local PARTS_MISSING = { 'corrupt', 'parts of a turn are missing' }

-- Reads the description of an open turn. Nil if it is not valid.
local function read_open(text)
  local cc, cn, ic, inx, bytes = string.match(text or '', '^(%d+) (%d+) (%d+) (%d+) (%d+) %d+$')
  if not cc then return nil end
  return {
    c = { count = tonumber(cc), next = tonumber(cn) }, i = { count = tonumber(ic), next = tonumber(inx) },
    bytes = tonumber(bytes),
  }
end

local function open_text(open, revision)
  return integer(open.c.count) .. ' ' .. integer(open.c.next) .. ' ' .. integer(open.i.count) .. ' '
    .. integer(open.i.next) .. ' ' .. integer(open.bytes) .. ' ' .. integer(revision)
end

-- Adds names to the log. Returns the field and the value to write.
local function log_entry(head, names)
  local field = '~' .. integer(head.l % LOG)
  head.l = head.l + 1
  return field, table.concat(names, ' ')
end

-- The last place of an id: its index, and its token if the turn is open. A place is 'index', '@' and the token if there
-- is one, ':' and the revision of the last update if there was one; several are separated by spaces.
local function last_place(places)
  local index, token = string.match(places, '(%d+)@?([%w_-]*):?%d*$')
  return tonumber(index), token
end
