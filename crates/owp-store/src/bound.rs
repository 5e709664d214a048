//! Values bound by the names of their columns. A statement's parameters have numbers, and a long list of values in the
//! wrong order still runs; here the compiler compares every name with the statement.

/// Binds values to a statement in order, each under the name of its column: the `n`-th is written to that column by an
/// INSERT, or is compared with it or assigned to it as `column = $n`. Anything else does not compile.
macro_rules! bound {
    ($sql:ident { $($column:ident: $value:expr),* $(,)? }) => {{
        const _: () = {
            let columns = [$(stringify!($column)),*];
            let mut at = 0;
            while at < columns.len() {
                assert!($crate::bound::belongs($sql, columns[at], at + 1), "a value is not that of the column it names");
                at += 1;
            }
        };
        $crate::statement::query($sql)$(.bind($value))*
    }};
}
pub(super) use bound;

/// Returns true if parameter `n` of a statement is the value of this column.
pub(super) const fn belongs(sql: &str, column: &str, n: usize) -> bool {
    let (sql, column) = (sql.as_bytes(), column.as_bytes());
    let mut at = 0;
    while at < sql.len() {
        if is_parameter(sql, at, n) && (is_compared(sql, at, column) || is_inserted(sql, at, column)) {
            return true;
        }
        at += 1;
    }
    false
}

/// Returns true if `$n`, and not the beginning of a longer number, stands at `at`.
const fn is_parameter(sql: &[u8], at: usize, n: usize) -> bool {
    let (mut end, mut number) = (at + 1, 0);
    while end < sql.len() && sql[end].is_ascii_digit() {
        number = number * 10 + (sql[end] - b'0') as usize;
        end += 1;
    }
    sql[at] == b'$' && number == n
}

/// Returns true for `column = $n`, and for `<`, `>`, `<=` and `>=`.
const fn is_compared(sql: &[u8], at: usize, column: &[u8]) -> bool {
    let mut end = at;
    while end > 0 && matches!(sql[end - 1], b' ' | b'\n') {
        end -= 1;
    }
    let operator = end;
    while end > 0 && matches!(sql[end - 1], b'=' | b'<' | b'>') {
        end -= 1;
    }
    if end == operator {
        return false;
    }
    while end > 0 && matches!(sql[end - 1], b' ' | b'\n') {
        end -= 1;
    }
    let begins = end.wrapping_sub(column.len());
    begins < end && stands_at(sql, begins, column) && (begins == 0 || !is_word(sql[begins - 1]))
}

/// Returns true if the column has the place in the list after the table that the parameter has in the VALUES.
const fn is_inserted(sql: &[u8], at: usize, column: &[u8]) -> bool {
    let values = find(sql, 0, b"VALUES (");
    let (mut item, mut place) = (values + b"VALUES (".len(), 0);
    if !stands_at(sql, 0, b"INSERT INTO ") || item > at {
        return false;
    }
    while item < at {
        match sql[item] {
            b',' => place += 1,
            b')' => return false,
            _ => {}
        }
        item += 1;
    }
    let mut begins = find(sql, 0, b"(") + 1;
    while place > 0 && begins < values {
        place -= (sql[begins] == b',') as usize;
        begins += 1;
    }
    while begins < values && matches!(sql[begins], b' ' | b'\n') {
        begins += 1;
    }
    let ends = begins + column.len();
    stands_at(sql, begins, column) && ends < values && !is_word(sql[ends])
}

/// Returns where `part` first stands; the end if nowhere.
const fn find(sql: &[u8], from: usize, part: &[u8]) -> usize {
    let mut at = from;
    while at < sql.len() && !stands_at(sql, at, part) {
        at += 1;
    }
    at
}

const fn stands_at(sql: &[u8], at: usize, part: &[u8]) -> bool {
    let mut n = 0;
    while n < part.len() && at + n < sql.len() && sql[at + n] == part[n] {
        n += 1;
    }
    n == part.len()
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::belongs;

    const INSERT: &str = "INSERT INTO tasks
        (id, repo_id, state, ready_since)
        VALUES ($1, $2, 'ready', $3) ON CONFLICT (id) DO UPDATE SET state = excluded.state";
    const UPDATE: &str = "UPDATE tasks SET title = $2, later_title=$10, epoch = $3 WHERE id = $1 AND epoch <= $3";

    #[test]
    fn an_inserted_value_has_the_place_of_its_column() {
        assert!(belongs(INSERT, "id", 1) && belongs(INSERT, "repo_id", 2) && belongs(INSERT, "ready_since", 3));
        for (column, n) in [("repo_id", 1), ("id", 2), ("state", 3), ("repo", 2), ("ready_since", 4), ("ready", 3)] {
            assert!(!belongs(INSERT, column, n), "{column} is not ${n}");
        }
    }

    #[test]
    fn an_updated_value_stands_after_its_column() {
        for (column, n) in [("id", 1), ("title", 2), ("epoch", 3), ("later_title", 10)] {
            assert!(belongs(UPDATE, column, n), "{column} is ${n}");
        }
        for (column, n) in [("title", 10), ("later_title", 1), ("title", 1), ("epoch", 2), ("le", 2), ("", 2)] {
            assert!(!belongs(UPDATE, column, n), "{column} is not ${n}");
        }
    }
}
