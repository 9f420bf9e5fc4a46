//! Bitmaps in which operations mark themselves.

use redis::RedisResult;
use redis::aio::MultiplexedConnection;

use crate::protocol::{MarkSpace, Marks};

/// At most this many numbers of missing operations are reported.
const MOST_TOLD: usize = 100;
/// Bytes of a bitmap that are examined at a time.
const PIECE: usize = 1 << 16;

/// Adds what one of them contains to `marks`.
///
/// # Errors
/// When the server does not answer, or has something else under its name.
pub(super) async fn read(
    connection: &mut MultiplexedConnection,
    space: &MarkSpace,
    marks: &mut Marks,
) -> RedisResult<()> {
    for first in (0..space.operations).step_by(PIECE * 8) {
        let byte = first / 8;
        let piece: Vec<u8> = redis::cmd("GETRANGE")
            .arg(&space.key)
            .arg(byte)
            .arg(byte + PIECE as u64 - 1)
            .query_async(connection)
            .await?;
        let stop = space.operations.min(first + PIECE as u64 * 8);
        let before = marks.missing.len();
        marks.missing.extend(missing(&piece, first, stop));
        marks.set += stop - first - (marks.missing.len() - before) as u64;
        marks.missing.truncate(MOST_TOLD);
    }
    Ok(())
}

/// The numbers up to `stop` whose bits are not set in a piece of a bitmap that begins with bit `first`. SETBIT counts bits
/// of a byte from the most significant one; bits beyond the end of the bitmap are not set.
fn missing(piece: &[u8], first: u64, stop: u64) -> impl Iterator<Item = u64> {
    (first..stop).filter(move |number| {
        let bit = number - first;
        piece.get((bit / 8) as usize).is_none_or(|byte| byte & (0x80 >> (bit % 8)) == 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_that_are_not_set_are_told_by_their_numbers() {
        let numbers = |piece: &[u8], first, operations| missing(piece, first, operations).collect::<Vec<_>>();
        assert_eq!(numbers(&[0b1101_1111, 0b1000_0000], 0, 9), [2]);
        assert_eq!(numbers(&[0xff], 0, 11), [8, 9, 10], "the bitmap ends where no more bits were set");
        assert_eq!(numbers(&[0xfe], 80, 88), [87]);
    }
}
