# A Homebrew formula. `make dist` fills in the version and the checksums of the archives that it has made.
class Orchestrate < Formula
  desc "Experiments on ways of talking to Redis, from one declarative file"
  homepage "https://github.com/fpierfed/orchestrate"
  version "@VERSION@"
  license "MIT"

  on_macos do
    on_arm do
      url "https://github.com/fpierfed/orchestrate/releases/download/v@VERSION@/orchestrate-@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256:aarch64-apple-darwin@"
    end
    on_intel do
      url "https://github.com/fpierfed/orchestrate/releases/download/v@VERSION@/orchestrate-@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256:x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "https://github.com/fpierfed/orchestrate/releases/download/v@VERSION@/orchestrate-@VERSION@-aarch64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256:aarch64-unknown-linux-gnu@"
    end
    on_intel do
      url "https://github.com/fpierfed/orchestrate/releases/download/v@VERSION@/orchestrate-@VERSION@-x86_64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256:x86_64-unknown-linux-gnu@"
    end
  end

  depends_on "redis" => :recommended

  def install
    bin.install "orchestrate"
    man1.install "orchestrate.1"
    bash_completion.install "orchestrate.bash" => "orchestrate"
    zsh_completion.install "_orchestrate"
    fish_completion.install "orchestrate.fish"
  end

  test do
    system bin/"orchestrate", "init", "experiment.toml"
    system bin/"orchestrate", "check", "experiment.toml"
  end
end
