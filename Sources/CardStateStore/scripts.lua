-- Issuer scripts of a card: its field 'sc', oldest first, each "identifier,state,ATC,kind,…|"; see QueuedScript. Cards
-- without one never come here.
local SCRIPTS_MAX = 8
local FINISHED = 'ofnx'

-- Moves a script from one of some states to another. Returns the new list and what follows the ATC, nil where no
-- script with this identifier was in such a state.
local function move_script(list, id, from, to, atc)
  local found
  local text = string.gsub(list or '', '(%d+),(%a),(%d*),([^|]*)|', function(number, state, used, rest)
    if number ~= id or not string.find(from, state, 1, true) then return nil end
    found = rest
    return number .. ',' .. to .. ',' .. (atc or used) .. ',' .. rest .. '|'
  end)
  if found then return text, found end
  return nil
end

-- What a card has carried out becomes true here too: the new PIN is the one to compare with, and its tries begin anew.
local function take_effect(card_key, script)
  local kind, reference = string.match(script, '^([^,]*),.*,([^,]*)$')
  if kind == 'pin-change' and reference ~= '' then
    redis.call('HSET', card_key, 'pr', reference, 'pu', 0)
  elseif kind == 'pin-unblock' then
    redis.call('HSET', card_key, 'pu', 0)
  end
end

-- A commit with results that the card reported and a script that goes out with the answer, in one step.
-- KEYS: those of commit. ARGV: results ("o5 f6"), the identifier of the script to send or '', then those of commit.
-- Returns '1' if the script was claimed, else '0', before what commit returns.
local function commit_with_scripts(keys, args)
  local results, claimed = table.remove(args, 1), table.remove(args, 1)
  local list = redis.call('HGET', keys[1], 'sc')
  local changed, sent = false, '0'
  for to, id in string.gmatch(results, '(%a)(%d+)') do
    local moved, script = move_script(list, id, 's', to)
    if moved then
      list, changed = moved, true
      if to == 'o' then take_effect(keys[1], script) end
    end
  end
  local answer = commit(keys, args)
  -- Only with the first answer to a cryptogram that was not seen before: nothing is delivered twice.
  local finding = tonumber(string.match(answer, '^0;%d+;[^;]*;(%d+)') or 0)
  if claimed ~= '' and string.sub(answer, 1, 1) == '1' then
    -- Another transmission of the same request was quicker: both answers are the same, script included.
    sent = string.find('|' .. list, '|' .. claimed .. ',s,' .. args[4] .. ',', 1, true) and '1' or '0'
  elseif claimed ~= '' and finding >= FIRST and finding <= LATE then
    local moved = move_script(list, claimed, 'q', 's', args[4])
    if moved then list, changed, sent = moved, true, '1' end
  end
  if changed then redis.call('HSET', keys[1], 'sc', list) end
  return sent .. answer
end

-- What an operator orders, with a journal entry of its own.
-- KEYS: card, journal. ARGV: operation, script or identifier, the same in words, note (who, when, why), token.
-- Returns the identifier for a new script, for others the state before or '' where it cannot be; false for a card
-- that is unknown.
local function script(keys, args)
  local card = redis.call('HMGET', keys[1], 'st', 'sc')
  if not card[1] then return false end
  local list, before, result = card[2] or '', '', nil
  if args[1] == 'script-queue' then
    local _, count = string.gsub(list, '|', '')
    if count >= SCRIPTS_MAX then
      -- The oldest that is done makes room.
      local dropped = false
      list = string.gsub(list, '%d+,(%a),[^|]*|', function(state)
        if dropped or not string.find(FINISHED, state, 1, true) then return nil end
        dropped = true
        return ''
      end)
      if not dropped then return redis.error_reply('ERR ' .. SCRIPTS_MAX .. ' scripts wait for this card already') end
    end
    result = tostring(redis.call('HINCRBY', keys[1], 'sn', 1))
    list = list .. result .. ',q,,' .. args[2] .. '|'
  else
    local from, to = 'q', 'x'
    if args[1] == 'script-resend' then from, to = 'sfn', 'q' end
    before = string.match('|' .. list, '|' .. args[2] .. ',(%a)') or ''
    local moved = move_script(list, args[2], from, to, to == 'q' and '' or nil)
    if not moved then return '' end
    list, result = moved, before
  end
  redis.call('HSET', keys[1], 'sc', list)
  redis.call('XADD', keys[2], '*', 'o', args[1] .. ';' .. args[3] .. ';' .. before .. ';' .. args[4], 'c', args[5])
  return result
end

redis.register_function{ function_name = 'cardstate_commit_scripts', callback = commit_with_scripts }
redis.register_function{ function_name = 'cardstate_script', callback = script }
