# frozen_string_literal: true

# Sidekiq as a task queue: the course of a trial, from the job to the last word.

require "json"
require_relative "phase"
require_relative "programs"
require_relative "shared"

# Why a driver gives up: one of the protocol's kinds, and a sentence.
class Refusal < StandardError
  attr_reader :kind

  def initialize(kind, message)
    super(message)
    @kind = kind
  end
end

# One trial.
class Driver
  # In nanoseconds: how long nothing may happen until no more is waited for, besides what a task takes; how long workers may
  # take to start, and to come together; when more tasks are handed over to those that have not; how often is looked whether
  # anything happens at all.
  PATIENCE, COLD_START, MEETING, MORE, GLANCE = 10_000_000_000, 60_000_000_000, 30_000_000_000, 200_000_000, 100_000_000

  def initialize
    @lines = Thread::Queue.new
    @last_word = Mutex.new
    @programs = Programs.new do |ending|
      where = @phase.measured? ? @phase.state : "before the measured part"
      give_up("other", "a worker program of Sidekiq #{ending}; #{where}")
    end
  end

  def serve
    Thread.new { listen }
    claim = carry_out
    @last_word.lock
    @done = true
    say(event: "done", **claim)
    # Workers live until the input ends: to stop them would take time, and commands.
    sleep
  rescue Refusal => error
    give_up(error.kind, error.message)
  rescue SystemCallError, SocketError, IOError => error
    give_up("connection", "#{error.class}: #{error.message}")
  rescue StandardError => error
    # Which of Sidekiq's releases uses which client library.
    lost = defined?(Redis) ? Redis::BaseConnectionError : defined?(RedisClient) && RedisClient::ConnectionError
    give_up(lost && error.is_a?(lost) ? "connection" : "other", "#{error.class}: #{error.message}")
  end

  private

  # The end of the input is the end of the process, whatever that is doing.
  def listen
    while (line = $stdin.gets)
      @lines << line
    end
    leave(@done ? 0 : 1)
  end

  def leave(status)
    @programs.kill
    exit!(status)
  end

  # The last word of a driver that gives up, unless another thread has said the last word.
  def give_up(kind, error)
    return unless @last_word.try_lock

    say(event: "failed", kind: kind, error: error)
    leave(1)
  end

  def say(**event)
    # One write, for two could be parted by the end of the process.
    $stdout.syswrite("#{JSON.generate(event)}\n")
  end

  def carry_out
    job = read(@lines.pop)
    work, warmup = job.fetch_values("workload", "warmup")
    _, body_time = Body.read(work["body"])
    @job, @patience = job, PATIENCE + body_time
    Shared::Connection.new(job["server"]).call("PING")

    cold_start = start_cold
    meet
    if warmup["operations"] || warmup["duration_ns"]
      start(Shared.before, work["producers"], operations: warmup["operations"], duration_ns: warmup["duration_ns"])
      wait_for_all("the warm-up")
    end
    say(event: "ready", client: client, runtime: "#{RUBY_ENGINE} #{RUBY_VERSION}", workers: job["workers"],
        processes: @programs.pids, cold_start_ns: cold_start)
    raise Refusal.new("protocol", "go was due") unless JSON.parse(@lines.pop) == { "go" => true }

    start(Shared.measured, work["producers"], operations: work["operations"], duration_ns: work["duration_ns"])
    wait(@patience + (work["rate"] ? 1e9 / work["rate"] : 0))
    claim = @phase.claim
    claim[:left] = left unless claim[:lost].empty?
    { **claim, twice: twice }
  end

  # The job, and what cannot be done is refused.
  def read(line)
    job = JSON.parse(line)
    version = job["protocol"] if job.is_a?(Hash)
    unless version == 2
      raise Refusal.new("protocol", "the job is of protocol version #{version.inspect}, this driver speaks version 2")
    end

    work = job["workload"]
    raise Refusal.new("unsupported", "this driver knows no workload of kind `#{work["kind"]}`") unless work["kind"] == "tasks"

    check(job, work)
    Shared.create(job)
    # It configures Sidekiq for this job.
    require_relative "task"
    check_body(work["body"])
    job
  rescue JSON::ParserError, KeyError, NoMethodError, TypeError => error
    raise Refusal.new("protocol", "this is no job: #{error.message}")
  end

  def check(job, work)
    job.fetch_values("server", "warmup", "key_prefix")
    work.fetch_values("backlog", "verify", "value_bytes", "rate", "results")
    unless work["operations"].nil? ^ work["duration_ns"].nil?
      raise Refusal.new("protocol", "a job has operations or a duration")
    end
    unless work["processes"].between?(1, job["workers"]) && work["producers"].positive?
      raise Refusal.new("protocol", "there are 1 to `workers` worker programs, and one producer at least")
    end

    refuse("tasks are handed over one by one (asked for #{work["pipeline"]} at once)") if work["pipeline"] > 1
    refuse("the keys of a task-queue library cannot be deleted by name") if job["delete_keys"]
    refuse("this client knows no option `#{job["options"].keys.first}`; it has none") if job["options"]&.any?
    refuse("Sidekiq stores no results of tasks") if work["results"]
    refuse("the body `echo` needs results, and Sidekiq stores none") if work["body"] == "echo"
  end

  def check_body(body)
    _, _, file, = Body.read(body) || refuse("this driver knows no body `#{body}`")
    return if file.nil? || $LOAD_PATH.resolve_feature_path(file)

    raise Refusal.new("other", "there is no file of the body `#{body}` on RUBYLIB")
  end

  def refuse(why)
    raise Refusal.new("unsupported", why)
  end

  # Has a task wait for the worker programs, starts these, and says how long it took until the task began.
  def start_cold
    start(Shared.before, 1, operations: 1, silent: true)
    sleep(Phase::PAUSE) while @phase.producing?
    raise @phase.failure if @phase.failure

    processes = @job["workload"]["processes"]
    share, rest = @job["workers"].divmod(processes)
    started = Shared.now
    processes.times { |number| @programs.start(share + (number < rest ? 1 : 0)) }
    wait_for_all("the start", COLD_START)
    @phase.first_start - started
  end

  # Proves that all slots are there: as many tasks are executed at once, each of which waits for the others.
  def meet
    slots, most = @job["workers"], 0
    Shared.meeting.syswrite("1")
    start(Shared.before, 1, operations: slots, silent: true)
    more = @phase.start + MORE
    while most < slots
      raise @phase.failure if @phase.failure

      now = Shared.now
      most = [most, @phase.executing].max
      if now - @phase.start > MEETING
        raise Refusal.new("other", "only #{most} of #{slots} slots came to execute a task at once")
      end

      if now > more && !@phase.producing?
        @phase.extend_by(slots)
        @phase.produce(1)
        more = now + MORE
      end
      sleep(Phase::PAUSE)
    end
    Shared.meeting.truncate(0)
    wait_for_all("the meeting")
  end

  def start(trail, producers, **settings)
    @phase = Phase.new(@job, trail, **settings)
    @phase.produce(producers)
  end

  def wait_for_all(what, patience = @patience)
    raise Refusal.new("other", "#{what} came to no end: #{@phase.state}") unless wait(patience)
  end

  # Waits until all tasks of the phase have ended. Returns whether they have, or nothing more happens.
  def wait(patience)
    seen, since, glance = nil, 0, 0
    until @phase.over?
      raise @phase.failure if @phase.failure

      now = Shared.now
      if now >= glance
        glance = now + GLANCE
        state = [@phase.handed, @phase.ended]
        if state != seen
          seen, since = state, now
        elsif now - since > patience
          @phase.stop
          return false
        end
      end
      # While producers are at work, time is theirs.
      sleep(@phase.producing? ? 10 * Phase::PAUSE : Phase::PAUSE)
    end
    raise @phase.failure if @phase.failure

    true
  end

  # Numbers of tasks that were executed again.
  def twice
    Shared.twice.pread(Shared.twice.size, 0).unpack("q*").uniq.sort.first(Phase::NAMED)
  end

  # In the queue. What a worker has taken is not on the server any more.
  def left
    require "sidekiq/api"
    Sidekiq::Queue.new.size
  end

  def client
    library = defined?(Redis) ? "redis-rb #{Redis::VERSION}" : "redis-client #{RedisClient::VERSION}"
    "Sidekiq #{Sidekiq::VERSION}, #{library}"
  end
end

Thread.report_on_exception = false
Driver.new.serve
