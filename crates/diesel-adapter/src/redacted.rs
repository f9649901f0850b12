//! What may be shown of where a database is.

/// A database's address without user, password and options.
///
/// Of a URL the scheme, the host and the database are shown, and no more than the scheme where it cannot be said where
/// they begin. Of what looks like libpq's list of keywords nothing is shown. All else is the name of a file.
pub(crate) fn redacted(address: &str) -> String {
    let cut = |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_owned();
    let is_scheme = |scheme: &str| scheme.chars().all(|letter| letter.is_ascii_alphanumeric());
    match address.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => match rest.rsplit_once('@') {
            // A password with one of these in it, or an option with an `@`: who knows.
            Some((before, _)) if before.contains(['?', '#']) => format!("{scheme}://"),
            Some((_user, place)) => format!("{scheme}://{}", cut(place)),
            None => format!("{scheme}://{}", cut(rest)),
        },
        _ if cut(address).contains('=') => "a database".to_owned(),
        _ => cut(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, shown: &str) {
        assert_eq!(redacted(address), shown);
    }

    #[test]
    fn neither_user_nor_password_nor_options_are_shown() {
        check("postgres://ann:canary@db.example:5432/orders?password=canary", "postgres://db.example:5432/orders");
        check("postgres://ann:can@ary@db.example/orders", "postgres://db.example/orders");
        check("postgres://ann:can/ary@db.example/orders", "postgres://db.example/orders");
        check("postgres://ann:can?ary@db.example/orders", "postgres://");
        check("postgres://db.example/orders?password=at@canary", "postgres://");
        check("postgres://db.example/orders#canary", "postgres://db.example/orders");
        check("host=db.example password='canary://x'", "a database");
        check("orders.db", "orders.db");
        check("file:orders.db?key=canary", "file:orders.db");
        check("sqlite://orders.db?key=canary", "sqlite://orders.db");
    }
}
