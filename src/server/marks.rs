//! Bitmaps in which operations mark themselves.

use redis::RedisResult;
use redis::aio::MultiplexedConnection;

use crate::protocol::{MarkSpace, Marks};

/// So many numbers are told of those that are missing.
const MOST_TOLD: usize = 100;
/// Bytes of a bitmap that are looked through at once.
const PIECE: u64 = 1 << 16;

/// What all of them say together.
///
/// # Errors
/// When the server does not answer, or has something else under the name of one.
pub(super) async fn read(connection: &mut MultiplexedConnection, spaces: &[MarkSpace]) -> RedisResult<Marks> {
    let mut marks = Marks::default();
    for space in spaces {
        let set: u64 = redis::cmd("BITCOUNT").arg(&space.key).query_async(connection).await?;
        marks.set += set;
        let mut first = 0;
        while set < space.operations && first * 8 < space.operations && marks.missing.len() < MOST_TOLD {
            let piece: Vec<u8> = redis::cmd("GETRANGE")
                .arg(&space.key)
                .arg(first)
                .arg(first + PIECE - 1)
                .query_async(connection)
                .await?;
            marks.missing.extend(missing(&piece, first * 8, space.operations));
            first += PIECE;
        }
    }
    marks.missing.truncate(MOST_TOLD);
    Ok(marks)
}

/// Removes them.
///
/// # Errors
/// When the server does not answer.
pub(super) async fn clear(connection: &mut MultiplexedConnection, keys: &[String]) -> RedisResult<()> {
    if keys.is_empty() { Ok(()) } else { redis::cmd("DEL").arg(keys).exec_async(connection).await }
}

/// The numbers whose bits are not set in a piece of a bitmap that begins with bit `first`, up to `operations`. SETBIT counts
/// bits of a byte from the most significant one on; what lies behind the end of the bitmap is not set.
fn missing(piece: &[u8], first: u64, operations: u64) -> impl Iterator<Item = u64> {
    let last = operations.min(first + PIECE * 8);
    (first..last).filter(move |number| {
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
