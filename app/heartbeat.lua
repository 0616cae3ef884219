-- Records a process' heartbeat and removes the memberships of dead processes from Redis.
--
-- A process' list of memberships has entries `group channel`. A process that has a list but is not among the processes
-- was considered dead meanwhile, because it was frozen or cut off. Its memberships are restored.
--
-- The time is that of Redis, one clock for all processes, and it may be changed. If it is set forward, a process is
-- restored by its next heartbeat. If it is set back, memberships of dead processes stay longer by that much, and
-- messages are written for them in vain.
--
-- ARGV  the layer's prefix; the process; seconds of silence after which a process is dead; seconds that a group and
--       a list are kept; seconds that a dead process' list is kept, in case the process comes back
-- Returns whether the process was known, how many memberships were restored, and how many memberships of dead
-- processes were removed.
local prefix, process = ARGV[1], ARGV[2]
local silence, keep, keep_of_dead = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local processes = prefix .. ':processes'
local now = tonumber(redis.call('TIME')[1])

local function list_of(owner) return prefix .. ':memberships:' .. owner end

local function each(owner, act)
    local memberships = redis.call('ZRANGE', list_of(owner), 0, -1)
    for _, membership in ipairs(memberships) do
        local group, channel = membership:match('^(%S+) (%S+)$')
        act(prefix .. ':group:' .. group, channel)
    end
    return #memberships
end

local known, returned, removed = 1, 0, 0
if redis.call('ZADD', processes, now, process) == 1 then
    known = 0
    returned = each(process, function(group, channel)
        redis.call('ZADD', group, now, channel)
        redis.call('EXPIRE', group, keep)
    end)
end
redis.call('EXPIRE', list_of(process), keep)

for _, dead in ipairs(redis.call('ZRANGE', processes, '-inf', now - silence, 'BYSCORE')) do
    local queues = {['specific.' .. dead .. '!'] = true}
    removed = removed + each(dead, function(group, channel)
        redis.call('ZREM', group, channel)
        queues[channel:match('^[^!]*!')] = true
    end)
    for queue in pairs(queues) do
        redis.call('DEL', prefix .. queue, prefix .. queue .. '$inflight')
    end
    redis.call('EXPIRE', list_of(dead), keep_of_dead)
    redis.call('ZREM', processes, dead)
end
return {known, returned, removed}
