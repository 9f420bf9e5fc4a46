# frozen_string_literal: true

require "json"
require "socket"
require "tmpdir"

# What the driver and its workers share: files that have no name any more when a worker program starts. It inherits them, so
# nothing of them takes the way through the server, and nothing is left behind however a process ends.
module Shared
  # The job; a file that is not empty as long as tasks are to wait for each other; the numbers of tasks that were executed
  # again; and for the tasks before the measured part, and then for those of it, when each began and when it ended. Beginnings
  # and ends have a file each because Ruby finds a zero in an array of numbers quickly, but not in every other number of one.
  NAMES = %w[job meeting twice before_begun before_ended begun ended].freeze
  # In memory, where there is such a place.
  DIRECTORY = "/dev/shm"
  # Tells a worker program the descriptors.
  VARIABLE = "ORCHESTRATE_TASKS"

  class << self
    attr_reader :job, :meeting, :twice, :before, :measured

    def create(job)
      take(NAMES.map { |name| nameless(name, name == "twice" ? File::APPEND : 0) })
      @files.first.write(JSON.generate(job))
      @files.first.flush
      @job = job
    end

    def inherit
      take(ENV.fetch(VARIABLE).split.map { |number| File.for_fd(number.to_i, "r+b") })
      @job = JSON.parse(@files.first.pread(@files.first.size, 0))
    end

    # The variable, and which descriptors a worker program keeps.
    def inheritance
      numbers = @files.map(&:fileno)
      [{ VARIABLE => numbers.join(" ") }, numbers.to_h { |number| [number, number] }]
    end

    private

    def take(files)
      @files = files
      _, @meeting, @twice, *trails = files
      @before, @measured = trails.each_slice(2).map { |begun, ended| Trail.new(begun, ended) }
    end

    def nameless(name, flags)
      path = File.join(File.writable?(DIRECTORY) ? DIRECTORY : Dir.tmpdir, "orchestrate-#{Process.pid}-#{name}")
      file = File.open(path, File::RDWR | File::CREAT | File::EXCL | flags, 0o600, binmode: true)
      File.unlink(path)
      file
    end
  end

  # When each task began and ended, in nanoseconds of the monotonic clock, which all processes of a host have in common. 0 is
  # not yet, and an end is negative if the body has raised an exception.
  class Trail
    WORD = 8

    # How many numbers of tasks have been given away.
    attr_accessor :used

    def initialize(begun, ended)
      @begun, @ended = begun, ended
      @used = 0
    end

    def begun(first, count)
      read(@begun, first, count)
    end

    def ended(first, count)
      read(@ended, first, count)
    end

    def ended?(task)
      ended(task, 1) != [0]
    end

    def begin(task)
      @begun.pwrite([Shared.now].pack("q"), WORD * task)
    end

    def end(task, raised)
      @ended.pwrite([raised ? -Shared.now : Shared.now].pack("q"), WORD * task)
    end

    private

    def read(file, first, count)
      words = file.size > WORD * first ? file.pread(WORD * count, WORD * first) : ""
      words.ljust(WORD * count, "\0").unpack("q*")
    end
  end

  # A connection to the server that Sidekiq knows nothing of.
  class Connection
    def initialize(server)
      if server["unix_socket"]
        @socket = UNIXSocket.new(server["unix_socket"])
      else
        @socket = TCPSocket.new(server["host"], server["port"])
        @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
      end
      call("AUTH", server["password"]) if server["password"]
    end

    # The reply to a command that is answered by one line.
    def call(*words)
      @socket.write("*#{words.size}\r\n#{words.map { |word| "$#{word.to_s.bytesize}\r\n#{word}\r\n" }.join}")
      reply = @socket.gets("\r\n", chomp: true) or raise IOError, "the server closed the connection"
      raise IOError, reply[1..] if reply.start_with?("-")

      reply
    end
  end

  def self.now
    Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
  end
end
