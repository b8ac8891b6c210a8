#!lua name=cardrecords
-- The store of card records: it compares, replaces and appends, and knows no business. All keys of a call share one slot.
local VERSION = 11

-- KEYS: record, journal, and the filed transactions where they are touched or wanted. All three exist from the account's
-- first import on: while a slot moves, a key that was not named would be written where it no longer belongs, and one that is
-- missing is refused.
-- ARGV: tag that the record must have ('' where there must be none), in how many pieces it changes, and for each its place
-- ('' for the whole record) and its bytes; where the filed transactions are named, what to do with them ('' nothing, 'a'
-- append, 's' set) and the bytes; then for each line of the journal a field's name and value.
-- Returns the identifier of the last line, or on a conflict what is there now: record, filed transactions.
-- Places are strings, since Lua has numbers as doubles and each would be printed.
local function replace(keys, args)
  local call, card, past = redis.call, keys[1], keys[3]
  if call('GETRANGE', card, '0', '15') ~= args[1] then
    return { call('GET', card), past and call('GET', past) or false }
  end
  local rest = 3 + 2 * args[2]
  local line = rest
  if past then
    line = rest + 2
    -- First what can be refused.
    if args[rest] ~= '' then call(args[rest] == 'a' and 'APPEND' or 'SET', past, args[rest + 1]) end
  end
  for piece = 3, rest - 1, 2 do
    if args[piece] == '' then
      call('SET', card, args[piece + 1])
    else
      call('SETRANGE', card, args[piece], args[piece + 1])
    end
  end
  local last = '0-0'
  for from = line, #args, 2 do last = call('XADD', keys[2], '*', args[from], args[from + 1]) end
  return last
end

local function parts(identifier)
  local milliseconds, number = string.match(identifier, '^(%d+)-(%d+)$')
  return tonumber(milliseconds), tonumber(number)
end

local function isBefore(left, right)
  local m1, n1 = parts(left)
  local m2, n2 = parts(right)
  return m1 < m2 or (m1 == m2 and n1 < n2)
end

-- KEYS: journal, generation. ARGV: identifier of an entry, '' for none.
-- Returns the generation, the identifier of the last entry that the journal ever had, and what became of the entry asked
-- for: 1 it is there (or none was asked for), 2 it was trimmed, 0 the journal has never had it.
local function place(keys, args)
  local generation = redis.call('GET', keys[2])
  if redis.call('EXISTS', keys[1]) == 0 then return { generation, '0-0', args[1] == '' and 1 or 0 } end
  local info = redis.call('XINFO', 'STREAM', keys[1])
  local last, first, added = '0-0', nil, 0
  for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then last = info[at + 1] end
    if info[at] == 'first-entry' and info[at + 1] then first = info[at + 1][1] end
    if info[at] == 'entries-added' then added = info[at + 1] end
  end
  if args[1] == '' or #redis.call('XRANGE', keys[1], args[1], args[1]) == 1 then return { generation, last, 1 } end
  -- A journal that was lost and begun anew has had nothing taken from it.
  if not isBefore(last, args[1]) and (not first or isBefore(args[1], first)) and added > redis.call('XLEN', keys[1]) then
    return { generation, last, 2 }
  end
  return { generation, last, 0 }
end

-- KEYS: journal. ARGV: the fields of an entry. Returns its identifier.
local function note(keys, args) return redis.call('XADD', keys[1], '*', unpack(args)) end

-- KEYS: one. ARGV: the value that it must have ('' where there must be none), the new one. Returns 1, or 0.
local function mark(keys, args)
  if (redis.call('GET', keys[1]) or '') ~= args[1] then return 0 end
  redis.call('SET', keys[1], args[2])
  return 1
end

redis.register_function('cardrecords_replace', replace)
-- What has to get through where the memory is used up: blocks, reversals, notes, and what leads to trimming.
redis.register_function{
  function_name = 'cardrecords_replace_always', callback = replace, flags = { 'allow-oom' } }
redis.register_function{ function_name = 'cardrecords_note', callback = note, flags = { 'allow-oom' } }
redis.register_function{ function_name = 'cardrecords_mark', callback = mark, flags = { 'allow-oom' } }
redis.register_function{ function_name = 'cardrecords_place', callback = place, flags = { 'no-writes' } }
redis.register_function{
  function_name = 'cardrecords_version', callback = function() return VERSION end, flags = { 'no-writes' } }
