# frozen_string_literal: true

# redis-client as a client: redis_client.rb [redis-client] [hiredis-client], the gems that it is to use. With hiredis-client
# the connections are those of hiredis, in C. Workers are threads with a connection each; Ruby runs one of them at a time,
# and another while one waits for a reply. How operations are counted is in tally.rb.

PINNED = { "connection_pool" => "2.5.5", "redis-client" => "0.30.0", "hiredis-client" => "0.30.0" }.freeze

gems = ["connection_pool", "redis-client"] | (ARGV & ["hiredis-client"])
if ARGV.include?("--pinned")
  puts gems.map { |name| "#{name}:#{PINNED[name]}" }
  exit
end

Gem.use_paths(Gem.dir, [File.join(__dir__, "gems"), *Gem.path])
gems.each { |name| gem name, PINNED[name] }
require "redis-client"
require "hiredis-client" if gems.include?("hiredis-client")
exit if ARGV.include?("--loads")

require "json"
require_relative "tally"

DRIVER = gems.include?("hiredis-client") ? :hiredis : :ruby
DELETE_BATCH = 1000
# What is pushed behind the last task, for each consumer.
END_MARK = "end"
# How long a consumer's command waits for a task, in seconds, before it is sent again.
WAIT = 1
# A sleeping thread wakes up late by about as much as this. Nearer to its moment an operation is not slept for.
WAKE_UP = 200_000

# Why a driver gives up: one of the protocol's kinds, and a sentence.
class Refusal < StandardError
  attr_reader :kind

  def initialize(kind, message)
    super(message)
    @kind = kind
  end
end

# The job, and what cannot be done is refused.
class Job
  attr_reader :work, :workers, :prefix, :warmup, :seed, :deletes_keys

  def initialize(line)
    job = JSON.parse(line)
    version = job["protocol"] if job.is_a?(Hash)
    unless [1, 2].include?(version)
      raise Refusal.new("protocol", "the job is of protocol version #{version.inspect}, this driver speaks versions 1 and 2")
    end

    @server, @work, @workers, @prefix, @warmup, @seed =
      job.fetch_values("server", "workload", "workers", "key_prefix", "warmup", "seed")
    @deletes_keys = job["delete_keys"]
    unless @workers >= 1 && @work["operations"].nil? ^ @work["duration_ns"].nil?
      raise Refusal.new("protocol", "a job has operations or a duration, and at least one worker")
    end

    refuse_what_is_not_known
  rescue JSON::ParserError, KeyError, NoMethodError => error
    raise Refusal.new("protocol", "this is no job: #{error.message}")
  end

  def kind
    work["kind"]
  end

  # Workers, and producers.
  def clients
    workers + (kind == "queue" ? work["producers"] : 0)
  end

  # The library would give up after a second, try again, and connect anew after half a minute: none of this is asked for.
  # It sets TCP_NODELAY by itself, and connects with its first command.
  def connect
    address = @server["unix_socket"] ? { path: @server["unix_socket"] } : { host: @server["host"], port: @server["port"] }
    config = RedisClient.config(**address, password: @server["password"], driver: DRIVER, timeout: nil, idle_timeout: nil,
                                           reconnect_attempts: false)
    config.new_client.tap { |client| client.call("PING") }
  end

  private

  def refuse_what_is_not_known
    case kind
    when "set-get" then nil
    when "read-write"
      work.fetch_values("keys", "reads")
      known("distribution", %w[uniform zipf sequential])
    when "queue"
      raise Refusal.new("protocol", "the job lacks producers") unless work.fetch("producers") >= 1

      work.fetch_values("acknowledge", "backlog")
      known("structure", %w[list stream])
    else raise Refusal.new("unsupported", "this driver knows no workload of kind `#{kind}`")
    end
    return if work["pipeline"] == 1

    raise Refusal.new("unsupported", "this driver does not pipeline (asked for #{work["pipeline"]})")
  end

  def known(setting, words)
    return if words.include?(work[setting])

    raise Refusal.new("unsupported", "this driver knows no #{setting} `#{work[setting]}`")
  end
end

# The warm-up or the measured part. Its moments are in nanoseconds since its start.
class Phase
  def initialize(job, amount, infix)
    @job, @work, @infix = job, job.work, infix
    @operations = amount["operations"] || Float::INFINITY
    @deadline = amount["duration_ns"] || Float::INFINITY
    # The warm-up has none.
    @rate = amount["rate"]
    @verify, @size = @work["verify"], @work["value_bytes"]
    @start = Tally.clock
  end

  # Has each client do its part in a thread of its own, and returns what all of them have done. The first of them to fail
  # is the end of it: its error comes out here.
  def run(clients)
    prepare(clients)
    ends = Thread::Queue.new
    threads = clients.each_with_index.map do |client, number|
      Thread.new do
        Thread.current.report_on_exception = false
        tally = Tally.new
        work(client, number, tally)
        ends << tally
      rescue StandardError => error
        ends << error
      end
    end
    tallies = threads.map { ends.pop.tap { |result| raise result if result.is_a?(Exception) } }
    total = tallies.reduce(Tally.new, :add)
    finish(clients, total)
    total
  end

  private

  def prepare(_clients); end

  def finish(_clients, _total); end

  def now
    Tally.clock - @start
  end

  def due(operation)
    (operation * 1_000_000_000 / @rate).to_i
  end

  # Waits for a moment and returns how much later it is then.
  def until_due(moment)
    loop do
      left = moment - now
      return -left if left <= 0

      left > WAKE_UP ? sleep((left - WAKE_UP) / 1e9) : Thread.pass
    end
  end

  def delete(client, keys)
    keys.each_slice(DELETE_BATCH) { |some| client.call("DEL", *some) } if @job.deletes_keys
  end
end

# SET and GET of new keys, or one of both of keys that are there.
class KeyValue < Phase
  private

  def prepare(clients)
    @written = clients.map { [] }
    # The choices of the warm-up are not those of the measured part.
    @random = clients.each_index.map { |worker| Random.new((@job.seed * 1_000_003) + (2 * worker) + @infix.size) }
  end

  def finish(clients, _total)
    clients.zip(@written) { |client, keys| delete(client, keys) }
  end

  def share(worker)
    return Float::INFINITY if @operations == Float::INFINITY

    share, rest = @operations.divmod(@job.workers)
    share + (worker < rest ? 1 : 0)
  end

  def work(client, worker, tally)
    shared, written, share = @job.kind == "read-write", @written[worker], share(worker)
    stem = shared ? @job.prefix : "#{@job.prefix}#{@infix}#{worker}:"
    operation = 0
    while operation < share
      index = shared ? choose(worker, operation) : operation
      get = !shared || @random[worker].rand < @work["reads"]
      set = !shared || !get
      key, value = "#{stem}#{index}", value(index)
      began = @rate ? due(worker + (operation * @job.workers)) : now
      break if began >= @deadline

      tally.lag(until_due(began)) if @rate
      written << key if @job.deletes_keys && !shared
      client.call("SET", key, value) if set
      check(key, client.call("GET", key), value) if get
      ended = now
      tally.latency(ended - began)
      tally.finish(ended)
      tally.reads += 1 if get
      operation += 1
    end
  end

  def check(key, fetched, value)
    return if fetched == value || !@verify

    raise Refusal.new("verification", "#{key} holds #{fetched.inspect[0, 60]}, not #{value[0, 60].inspect}")
  end

  # The decimal index, or its last digits with zeros in front.
  def value(index)
    digits = index.to_s
    return digits if @size.nil?

    digits.size < @size ? digits.rjust(@size, "0") : digits[digits.size - @size, @size]
  end

  # Which of the keys that are there an operation has.
  def choose(worker, operation)
    keys, random = @work["keys"], @random[worker]
    case @work["distribution"]
    when "uniform" then random.rand(keys)
    when "zipf" then zipf(keys, random)
    else ((worker * keys / @job.workers) + operation) % keys
    end
  end

  # By rejection-inversion (Hörmann and Derflinger 1996), for the exponent 1.
  def zipf(keys, random)
    high, low = Math.log(keys + 0.5), Math.log(1.5) - 1
    loop do
      u = high + (random.rand * (low - high))
      x = Math.exp(u)
      k = (x + 0.5).to_i.clamp(1, keys)
      return k - 1 if k - x <= 2 - (2.5 * Math.exp(-0.5)) || u >= Math.log(k + 0.5) - (1.0 / k)
    end
  end
end

# A queue on the server, of which each task is taken by one worker.
class TaskQueue < Phase
  private

  def prepare(clients)
    @key = "#{@job.prefix}#{@infix}queue"
    @taken = Array.new(@job.workers) { |worker| "#{@job.prefix}#{@infix}taken:#{worker}" }
    @list, @acknowledge = @work["structure"] == "list", @work["acknowledge"]
    @backlog, @producing = @work["backlog"], @work["producers"]
    @filler = "x" * @size.to_i
    # What the threads share: tasks that have their number, and those that a consumer has.
    @state, @room, @waiting, @begun, @got = Mutex.new, ConditionVariable.new, 0, 0, 0
    clients[0].call("XGROUP", "CREATE", @key, "workers", "0", "MKSTREAM") unless @list
  end

  def finish(clients, total)
    delete(clients[0], [@key, *@taken])
    return if total.operations == @begun

    raise Refusal.new("verification", "of #{@begun} tasks that were pushed #{total.operations} were taken")
  end

  def work(client, number, tally)
    number < @job.workers ? consume(client, number, tally) : produce(client, tally)
  end

  # Pushes tasks until there are no more, and if it is the last producer the marks of the end.
  def produce(client, tally)
    while (number, due = next_task)
      if @rate
        tally.lag(until_due(due))
        since = due
      else
        since = now
      end
      task = "#{number}:#{since}"
      missing = @size.to_i - task.size - 1
      task += ":#{@filler[0, missing]}" if missing >= 0
      push(client, task)
    end
    last = @state.synchronize { (@producing -= 1).zero? }
    @job.workers.times { push(client, END_MARK) } if last
  end

  # Waits for room in the backlog and takes a number. A number is only taken by who uses it, so that there are no holes: the
  # deadline comes first.
  def next_task
    @state.synchronize do
      until @rate || @begun - @got < @backlog
        @waiting += 1
        @room.wait(@state)
        @waiting -= 1
      end
      due = @rate ? due(@begun) : now
      next if @begun >= @operations || due >= @deadline

      @begun += 1
      [@begun - 1, due]
    end
  end

  # Producers are woken when half of the backlog is free: otherwise it would have to be done for every task.
  def took
    @state.synchronize do
      @got += 1
      @room.broadcast if @waiting.positive? && @begun - @got <= @backlog / 2
    end
  end

  # Takes tasks until it gets a mark of the end.
  def consume(client, worker, tally)
    loop do
      task, id = take(client, worker)
      ended = now
      next if task.nil?

      if task != END_MARK
        number, since = parse(task)
        took
        tally.latency(ended - since)
        tally.deliver(number)
      end
      if @acknowledge
        acknowledge(client, worker, task, id)
        ended = now
      end
      break if task == END_MARK

      tally.finish(ended)
    end
  end

  def parse(task)
    found = /\A(\d+):(\d+)(?::|\z)/.match(task)
    raise Refusal.new("verification", "got #{task.inspect[0, 60]}, which nobody has pushed") if found.nil?

    [found[1].to_i, found[2].to_i]
  end

  def push(client, task)
    if @list
      client.call("LPUSH", @key, task)
    else
      client.call("XADD", @key, "*", "task", task)
    end
  end

  # A task and, of a stream, its ID; nothing if none came in time. There is no time-out beside the server's.
  def take(client, worker)
    if !@list
      noack = @acknowledge ? [] : ["NOACK"]
      reply = client.blocking_call(false, "XREADGROUP", "GROUP", "workers", worker.to_s, "COUNT", 1, "BLOCK", WAIT * 1000,
                                   *noack, "STREAMS", @key, ">")
      # A map, by the third version of Redis' protocol: of each stream the entries, an ID and the fields of each.
      id, (_, task) = reply[@key][0] if reply
      [task, id]
    elsif @acknowledge
      client.blocking_call(false, "BLMOVE", @key, @taken[worker], "RIGHT", "LEFT", WAIT)
    else
      client.blocking_call(false, "BRPOP", @key, WAIT)&.last
    end
  end

  def acknowledge(client, worker, task, id)
    count = @list ? client.call("LREM", @taken[worker], 1, task) : client.call("XACK", @key, "workers", id)
    return if count == 1

    raise Refusal.new("verification", "acknowledging #{task.inspect[0, 60]} was answered with #{count.inspect}")
  end
end

def say(**event)
  # One write, for two could be parted by the end of the process.
  $stdout.syswrite("#{JSON.generate(event)}\n")
end

def carry_out(lines)
  job = Job.new(lines.pop)
  phase = job.kind == "queue" ? TaskQueue : KeyValue
  clients = Array.new(job.clients) { job.connect }
  phase.new(job, job.warmup, "w").run(clients)
  library = DRIVER == :hiredis ? "redis-client #{RedisClient::VERSION}, hiredis" : "redis-client #{RedisClient::VERSION}"
  say(event: "ready", client: library, runtime: "#{RUBY_ENGINE} #{RUBY_VERSION}", workers: job.workers)
  raise Refusal.new("protocol", "go was due") unless JSON.parse(lines.pop) == { "go" => true }

  say(event: "done", errors: 0, **phase.new(job, job.work, "").run(clients).summary(job.work))
end

# The end of the input is the end of the process, whatever that is doing.
lines = Thread::Queue.new
Thread.new do
  while (line = $stdin.gets)
    lines << line
  end
  exit!(0)
end

begin
  carry_out(lines)
  sleep
rescue Refusal => error
  say(event: "failed", kind: error.kind, error: error.message)
rescue RedisClient::ConnectionError, SystemCallError => error
  say(event: "failed", kind: "connection", error: "#{error.class}: #{error.message}")
rescue StandardError => error
  say(event: "failed", kind: "other", error: "#{error.class}: #{error.message}")
end
exit!(1)
