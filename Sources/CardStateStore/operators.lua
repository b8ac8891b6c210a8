-- KEYS: card, ATC window.
-- ARGV: status, expiry, PIN reference, PIN tries, available, currency, profile, forget ATCs ('1') or not, limits.
-- A card that is there keeps its ATCs and answers unless told otherwise; limits and PIN tries begin anew.
local function import(keys, args)
  if args[8] == '1' then redis.call('DEL', keys[1], keys[2]) else redis.call('HDEL', keys[1], 'sp') end
  redis.call('HSET', keys[1], 'st', args[1], 'ex', args[2], 'pr', args[3], 'pm', args[4], 'pu', 0,
    'av', args[5], 'cu', args[6], 'pf', args[7], 'li', args[9])
  return 1
end

-- What an operator changes, with a journal entry of its own.
-- KEYS: card, ATC window, journal. ARGV: operation, value, note (who, when, why), token.
-- Returns what stood there before, false for a card that is unknown.
local function change(keys, args)
  local card = redis.call('HMGET', keys[1], 'st', 'pu', 'ah')
  if not card[1] then return false end
  local before
  if args[1] == 'reset-atc' then
    before = card[3] or ''
    redis.call('HDEL', keys[1], 'ah')
    redis.call('DEL', keys[2])
  elseif args[1] == 'unblock-pin' then
    before = card[2]
    redis.call('HSET', keys[1], 'pu', 0)
  elseif args[1] == 'status' then
    before = card[1]
    redis.call('HSET', keys[1], 'st', args[2])
  else
    return redis.error_reply('ERR unknown operation')
  end
  redis.call('XADD', keys[3], '*', 'o', args[1] .. ';' .. args[2] .. ';' .. before .. ';' .. args[3], 'c', args[4])
  return before
end

redis.register_function{ function_name = 'cardstate_change', callback = change }
redis.register_function{ function_name = 'cardstate_read', callback = read, flags = { 'no-writes' } }
redis.register_function{ function_name = 'cardstate_commit', callback = commit }
redis.register_function{ function_name = 'cardstate_import', callback = import }
redis.register_function{
  function_name = 'cardstate_version', callback = function() return VERSION end, flags = { 'no-writes' } }
