# frozen_string_literal: true

# The task as Sidekiq knows it. The driver loads this file to hand tasks over, and `sidekiq -r` to execute them.

require "sidekiq"
require_relative "shared"

# What a task does.
module Body
  # In nanoseconds.
  UNITS = { "ns" => 1, "us" => 1_000, "ms" => 1_000_000, "s" => 1_000_000_000 }.freeze

  # Of a body its kind, the time that it takes by itself, and of a function of the user the file and the method. Nothing if
  # there is no such body.
  def self.read(text)
    case text
    when "noop" then [:noop, 0]
    when /\A(sleep|cpu) (\d+(?:\.\d+)?)(ns|us|ms|s)\z/ then [$1.to_sym, ($2.to_r * UNITS[$3]).round]
    when /\Acall ([^:\s]+):([^:\s]+)\z/ then [:call, 0, $1, $2]
    end
  end

  # A function of the task's number.
  def self.make(text)
    kind, nanos, file, method = read(text)
    case kind
    when :noop then ->(_) {}
    when :sleep then ->(_) { sleep(nanos / 1e9) }
    when :cpu then ->(_) { burn(nanos) }
    when :call
      require file
      TOPLEVEL_BINDING.receiver.method(method)
    end
  end

  def self.burn(nanos)
    ended = cpu_time + nanos
    nil while cpu_time < ended
  end

  def self.cpu_time
    Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID, :nanosecond)
  end
end

# Tasks of the measured part have the numbers 0, 1, 2 …, those before it -1, -2, -3 …
class Task
  include Sidekiq::Worker

  # Between two looks at whether the tasks have met, in seconds. There may be a hundred threads that wait.
  PAUSE = 0.01

  class << self
    attr_accessor :body
  end

  def perform(number, _text = nil)
    measured = number >= 0
    task, trail = measured ? [number, Shared.measured] : [-1 - number, Shared.before]
    # What was noted first stays: a task that has ended may be executed again.
    first = !trail.ended?(task)
    trail.begin(task) if first
    raised = true
    begin
      sleep(PAUSE) until measured || Shared.meeting.size.zero?
      self.class.body.call(number)
      raised = false
    ensure
      # A task that is interrupted, because its program is being stopped, has not ended.
      unless $!.is_a?(Interrupt)
        mark(task, measured) if Shared.job["workload"]["verify"]
        trail.end(task, raised) if first
      end
    end
  end

  private

  def mark(task, measured)
    reply = connection.call("SETBIT", "#{Shared.job["key_prefix"]}#{measured ? "done" : "wdone"}", task, 1)
    Shared.twice.syswrite([task].pack("q")) if reply == ":1" && measured
  end

  # Each thread has its own.
  def connection
    Thread.current.thread_variable_get(:marks) ||
      Shared::Connection.new(Shared.job["server"]).tap { |one| Thread.current.thread_variable_set(:marks, one) }
  end
end

# Sidekiq 6 calls redis-rb 4.8 in ways that this warns of, at each command. To write that would cost more than a task does.
Redis.silence_deprecations = true if defined?(Redis) && Redis.respond_to?(:silence_deprecations=)

# What the environment says of another server, or of the number of threads, is not meant.
%w[REDIS_URL REDIS_PROVIDER RAILS_MAX_THREADS].each { |variable| ENV.delete(variable) }
Shared.inherit if Sidekiq.server?
place = Shared.job["server"].then do |server|
  server["unix_socket"] ? { path: server["unix_socket"] } : { host: server["host"], port: server["port"] }
end
place[:password] = Shared.job["server"]["password"] if Shared.job["server"]["password"]

Sidekiq.configure_client do |config|
  config.logger.level = Logger::WARN
  # Otherwise there would be five connections for all producers.
  config.redis = { **place, size: Shared.job["workload"]["producers"] }
end

Sidekiq.configure_server do |config|
  config.logger.level = Logger::WARN
  config.redis = place
  Task.body = Body.make(Shared.job["workload"]["body"])
  # The driver holds the other end: however it ends, its workers do so too.
  Thread.new do
    $stdin.read
    exit!(1)
  end
end
