# frozen_string_literal: true

require_relative "shared"

# The worker programs: `sidekiq`, as its manual says, in the driver's own process group.
class Programs
  TASK = File.join(__dir__, "task.rb")

  attr_reader :pids

  # `ended` is called, in a thread of its own, with what has happened when one of the programs ends.
  def initialize(&ended)
    @ended = ended
    @pids = []
    @lock = Mutex.new
    # Their standard input, in which nothing ever comes; but it ends with this process.
    @input, @lifeline = IO.pipe
  end

  def start(slots)
    variables, descriptors = Shared.inheritance
    # What a program prints is no part of the protocol.
    pid = @lock.synchronize do
      spawn(variables, "sidekiq", "-r", TASK, "-c", slots.to_s, in: @input, out: :err, **descriptors).tap { |one| @pids << one }
    end
    watcher = Process.detach(pid)
    Thread.new { @ended.call(told(watcher.value)) }
  end

  # Ends all of them. None is started any more.
  def kill
    @lock.lock
    @pids.each do |pid|
      Process.kill(:KILL, pid)
    rescue Errno::ESRCH
      next
    end
  end

  private

  def told(status)
    status.signaled? ? "was ended by signal #{status.termsig}" : "exited with status #{status.exitstatus}"
  end
end
