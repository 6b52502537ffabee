//! What a status other than success means: whether to ask again, when, and what a person can do about it.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::{Address, KEY_VARIABLES};
use crate::teacher::{Miss, Paid, Remedy};

/// How long the service asks to wait: `Retry-After` in seconds or as a date, or `retry-after-ms`.
pub(super) fn wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim().to_owned());
    if let Some(milliseconds) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return seconds(milliseconds / 1e3);
    }
    let text = text(RETRY_AFTER.as_str())?;
    if let Ok(number) = text.parse::<f64>() {
        return seconds(number);
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(&text).ok()?;
    // A date that has passed means now.
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number.max(0.0)).ok()
}

/// Whether the service complains about one setting of the request.
pub(super) fn is_about(status: StatusCode, said: &str, setting: &str) -> bool {
    matches!(status.as_u16(), 400 | 422) && said.to_ascii_lowercase().contains(setting)
}

/// What became of a request, by the status of its response.
pub(super) fn miss(
    address: &Address,
    model: &str,
    has_key: bool,
    status: StatusCode,
    said: &str,
    wait: Option<Duration>,
) -> Miss {
    let colon = if said.is_empty() { "" } else { ": " };
    let plain = format!("{address}: {}{colon}{said}", status.as_u16());
    let variables = KEY_VARIABLES.join(" or ");
    let give_up = |advice: String| (Remedy::GiveUp, format!("{plain}; {advice}"));
    let (remedy, why) = match status.as_u16() {
        401 if has_key => give_up(format!("the key is refused: check {variables}")),
        401 => give_up(format!("it wants a key: set {variables}")),
        402 => give_up("the account has no credit left".into()),
        403 => give_up(format!("the key may not use {model}: check {variables} and the model's name")),
        404 => give_up(format!("no such model or path: check the model ({model}) and --endpoint")),
        // Waiting does not bring money.
        429 if said.contains("insufficient_quota") => give_up("the account has no credit left".into()),
        300..=399 => give_up("it wants to send us elsewhere: give the address itself as --endpoint".into()),
        408 | 409 | 425 | 429 | 500..=599 => (Remedy::Again(wait), plain),
        _ => (Remedy::Skip, plain),
    };
    // A gateway that lost patience says nothing of what the model behind it wrote.
    let paid = if matches!(status.as_u16(), 408 | 504 | 524) { Paid::Perhaps } else { Paid::No };
    Miss { why, remedy, paid }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn waits(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        wait(&headers, "2015-10-21T07:28:00Z".parse().unwrap())
    }

    #[test]
    fn the_service_says_how_long_to_wait_in_three_ways() {
        assert_eq!(waits("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(waits("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(waits("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(waits("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(waits("retry-after", "Wed, 21 Oct 2015 07:27:00 GMT"), Some(Duration::ZERO));
        assert_eq!(waits("retry-after", "soon"), None);
        assert_eq!(waits("retry-after", "-3"), Some(Duration::ZERO));
        assert_eq!(waits("retry-after", "1e300"), None);
    }

    #[test]
    fn what_no_repetition_mends_ends_the_job_with_advice() {
        let address = Address::parse("http://localhost:8000").unwrap();
        let miss = |status, said| miss(&address, "m", true, StatusCode::from_u16(status).unwrap(), said, None);
        for status in [401, 403, 404, 402, 301] {
            assert_eq!(miss(status, "no").remedy, Remedy::GiveUp, "{status}");
        }
        assert_eq!(miss(429, "You exceeded … (insufficient_quota)").remedy, Remedy::GiveUp);
        for status in [429, 500, 502, 503, 504, 529, 408] {
            assert_eq!(miss(status, "").remedy, Remedy::Again(None), "{status}");
        }
        assert_eq!(miss(400, "too long").remedy, Remedy::Skip);
        assert_eq!((miss(500, "").paid, miss(504, "").paid), (Paid::No, Paid::Perhaps));
        let why = miss(401, "bad key").why;
        assert!(
            why.starts_with("http://localhost:8000: 401: bad key; ") && why.contains("LOGWRIGHT_TEACHER_KEY"),
            "{why}"
        );
    }
}
