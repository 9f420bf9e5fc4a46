# frozen_string_literal: true

require_relative "../../ruby/tally"
require_relative "shared"

# Some of the tasks of a trial: producers hand them over, each in a thread of its own, and the others see here how far that
# has come. Moments are those of the monotonic clock, in nanoseconds.
class Phase
  # How often is looked whether something has come about that nobody announces, in seconds.
  PAUSE = 0.001
  # A sleeping thread wakes up late by about as much as this. Nearer to its moment a task is not slept for.
  WAKE_UP = 100_000
  # How many tasks are looked at in one go.
  CHUNK = 256
  # In a warm-up so many tasks for each slot are under way at most.
  WARM = 10
  # The most numbers of tasks that `done` names, and a sentence.
  NAMED, TOLD = 100, 10

  attr_reader :start, :failure, :begun, :handed

  # Tasks that are `silent` are handed over one after the other whatever becomes of them.
  def initialize(job, trail, operations: nil, duration_ns: nil, silent: false)
    work = job["workload"]
    @trail, @first = trail, trail.used
    @size = work["value_bytes"]
    @rate = work["rate"] if measured?
    @operations = operations || Float::INFINITY
    @backlog = silent ? Float::INFINITY : work["backlog"] || Float::INFINITY
    @backlog = [@backlog, WARM * job["workers"]].min unless silent || measured?
    @begun = @handed = @enqueue = @room = @looked = @head = @producing = 0
    # Of each task: from when its latency counts, and whether it has been handed over.
    @since, @has_been_handed = [], []
    @tally = Tally.new
    @lock = Mutex.new
    @start = Shared.now
    @deadline = duration_ns ? @start + duration_ns : Float::INFINITY
  end

  def measured?
    @trail.equal?(Shared.measured)
  end

  def produce(producers)
    @lock.synchronize { @producing += producers }
    producers.times do
      Thread.new do
        hand_over_all
      rescue StandardError => error
        @failure = error
      ensure
        @lock.synchronize { @producing -= 1 }
      end
    end
  end

  def producing?
    @producing.positive?
  end

  def extend_by(operations)
    @operations += operations
  end

  # There is nothing more to hand over.
  def stop
    @operations = 0
  end

  # Whether nothing is left to be handed over, and all that was has ended.
  def over?
    !producing? && settled == @begun
  end

  def ended
    begun = @begun
    head = [settled, begun].min
    begun - ends(head, begun).count(0)
  end

  # How many tasks are being executed now.
  def executing
    head, begun = settled, @begun
    # Starts are read first, so that a task that is over in between does not count as one that was not begun.
    starts = starts(head, begun)
    [starts.size - starts.count(0) - (begun - head - ends(head, begun).count(0)), 0].max
  end

  def first_start
    starts(0, 1).first
  end

  # How far the tasks have come, as a sentence tells it.
  def state
    starts, ends = starts(0, @begun), ends(0, @begun)
    open = starts.each_index.select { |task| starts[task] != 0 && ends[task].zero? }
    told = open.first(TOLD).join(", ")
    told += " and #{open.size - TOLD} more" if open.size > TOLD
    told = "none" if open.empty?
    "of #{@handed} tasks #{ends.size - ends.count(0)} had ended, and #{told} #{open.size > 1 ? "were" : "was"} begun and not ended"
  end

  # What `done` says of the tasks.
  def claim
    starts, noted = starts(0, @begun), ends(0, @begun)
    starting = Tally.new
    noted.each_with_index do |ended, task|
      next if ended.zero?

      @tally.latency(ended.abs - @since[task])
      starting.latency(starts[task] - @since[task])
    end
    ends = noted.reject(&:zero?).map(&:abs).sort
    ends.each { |ended| @tally.finish(ended - @start) }
    lost = noted.each_index.select { |task| @has_been_handed[task] && noted[task].zero? }
    {
      **@tally.summary({ "rate" => @rate }),
      # If none has ended, no time would be no less true, but it cannot be divided by.
      elapsed_ns: (ends.last || Shared.now) - @start,
      operations: @handed,
      errors: noted.count(&:negative?),
      enqueue_ns: @enqueue,
      start_latency: starting.latencies.sort,
      lost: lost.first(NAMED),
      begun: lost.select { |task| starts[task] != 0 }.first(NAMED)
    }
  end

  private

  def hand_over_all
    while (task = next_task)
      next sleep(PAUSE) if task == :full

      until_due(task) if @rate
      arguments = arguments(task)
      began = @since[task] = Shared.now
      if @rate
        @since[task] = due(task)
        @lock.synchronize { @tally.lag(began - due(task)) }
      end
      Task.perform_async(*arguments)
      now = Shared.now
      @lock.synchronize do
        @handed += 1
        @enqueue += now - began
      end
      @has_been_handed[task] = true
    end
  end

  # The next task to hand over; nothing after the last, and `:full` if that has to wait until others have ended.
  def next_task
    @lock.synchronize do
      return if @begun >= @operations || (@rate ? due(@begun) : Shared.now) >= @deadline
      return :full unless @rate || room?

      @trail.used += 1
      @since << 0
      @has_been_handed << false
      @begun += 1
      @begun - 1
    end
  end

  # Takes a place among those that are under way. What the files say is looked up when all are taken, and not too often.
  def room?
    return true if @backlog == Float::INFINITY

    now = Shared.now
    if @room.zero? && now - @looked >= PAUSE * 1e9
      @looked, @room = now, [0, @backlog - (@begun - ended)].max
    end
    return false if @room.zero?

    @room -= 1
    true
  end

  def due(task)
    @start + (task * 1e9 / @rate).to_i
  end

  def until_due(task)
    while (left = due(task) - Shared.now).positive?
      left > WAKE_UP ? sleep((left - WAKE_UP) / 1e9) : Thread.pass
    end
  end

  def arguments(task)
    index = @first + task
    number = measured? ? index : -1 - index
    @size ? [number, index.to_s.rjust(@size, "0")[-@size, @size]] : [number]
  end

  # How many tasks there are before the first that has not ended. Several threads ask; none of them goes too far.
  def settled
    head, begun = @head, @begun
    while head < begun
      ends = ends(head, [head + CHUNK, begun].min)
      open = ends.index(0)
      head += open || ends.size
      break if open
    end
    @head = head
  end

  def starts(first, stop)
    @trail.begun(@first + first, stop - first)
  end

  def ends(first, stop)
    @trail.ended(@first + first, stop - first)
  end
end
