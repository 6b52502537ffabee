//! Where a service is: an address with or without `/v1`, without passwords, near or far.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use crate::teacher::TeacherError;

/// What the path of a chat completion ends with.
const PATH: &str = "chat/completions";

/// The address of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    completions: Url,
}

impl Address {
    /// Reads an address as people give it: `https://api.openai.com`, `http://localhost:11434/v1`, or the whole path.
    ///
    /// # Errors
    /// When it is none, or holds a password or a query: those would be printed and kept.
    pub fn parse(text: &str) -> Result<Self, TeacherError> {
        let text = text.trim();
        // What stands before an @ may be a password, whatever else is wrong.
        let shown = text.rsplit('@').next().unwrap_or_default().split(['?', '#']).next().unwrap_or_default().to_owned();
        let wrong = |why: &str| TeacherError::Address { address: shown.clone(), why: why.to_owned() };
        let mut url = match Url::parse(text) {
            Ok(url) if url.scheme() == "https" || url.scheme() == "http" => url,
            _ => return Err(wrong("give an address such as https://api.openai.com or http://localhost:8000")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "a password in the address would be printed and kept: set LOGWRIGHT_TEACHER_KEY instead",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("give it without what follows ? or #: a key goes into LOGWRIGHT_TEACHER_KEY"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let versioned = path
            .split('/')
            .any(|part| part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())));
        let whole = match () {
            () if path.ends_with(PATH) => path,
            () if versioned => format!("{path}/{PATH}"),
            () => format!("{path}/v1/{PATH}"),
        };
        url.set_path(&whole);
        Ok(Self { completions: url })
    }

    /// Where to post chat completions.
    pub(super) fn completions(&self) -> Url {
        self.completions.clone()
    }

    /// Whether it is on this machine or in a private network.
    pub fn is_near(&self) -> bool {
        let Some(host) = self.completions.host_str() else { return false };
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return is_near(address);
        }
        let name = host.trim_end_matches('.');
        let private = [".localhost", ".local", ".internal", ".lan", ".home.arpa"];
        !name.contains('.') || private.iter().any(|end| name.ends_with(end))
    }

    /// Whether it is OpenAI's own, and nobody can listen.
    pub fn is_openai(&self) -> bool {
        !self.is_plain() && self.completions.host_str() == Some("api.openai.com")
    }

    /// Whether what is sent there can be read on the way.
    pub fn is_plain(&self) -> bool {
        self.completions.scheme() == "http"
    }
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_near(IpAddr::V4(mapped)),
            None => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
        },
    }
}

/// Without the path that every service has.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.completions.as_str().trim_end_matches(PATH).trim_end_matches('/').trim_end_matches("/v1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_given_with_or_without_its_path() {
        let url = |text| Address::parse(text).unwrap().completions().to_string();
        let whole = "http://localhost:8000/v1/chat/completions";
        for text in [
            "http://localhost:8000",
            " http://localhost:8000/ ",
            "http://localhost:8000/v1",
            "http://localhost:8000/v1/",
            whole,
        ] {
            assert_eq!(url(text), whole);
        }
        assert_eq!(url("https://openrouter.ai/api/v1"), "https://openrouter.ai/api/v1/chat/completions");
        assert_eq!(url("https://x.dev/v1beta/openai/"), "https://x.dev/v1beta/openai/chat/completions");
        assert_eq!(url("https://x.dev/proxy"), "https://x.dev/proxy/v1/chat/completions");
        assert_eq!(Address::parse("http://localhost:8000").unwrap().to_string(), "http://localhost:8000");
    }

    #[test]
    fn what_could_be_a_secret_is_refused_and_not_repeated() {
        for text in
            ["https://me:hunter2@x.dev/v1", "https://hunter2@x.dev", "https://x.dev/v1?key=hunter2", "hunter2@x"]
        {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(Address::parse("localhost:8000").is_err() && Address::parse("").is_err());
    }

    #[test]
    fn near_and_far_are_told_apart() {
        let near = |text| Address::parse(text).unwrap().is_near();
        for text in [
            "http://localhost",
            "http://127.0.0.1:9",
            "http://[::1]:9",
            "http://10.1.2.3",
            "http://192.168.0.7",
            "http://gpu7",
            "http://gpu.local",
            "http://[fd00::1]",
            "http://[::ffff:10.0.0.1]",
        ] {
            assert!(near(text), "{text}");
        }
        for text in ["http://example.com", "http://8.8.8.8", "http://172.32.0.1", "http://[2001:db8::1]"] {
            assert!(!near(text), "{text}");
        }
    }
}
