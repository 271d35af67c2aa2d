//! JSON read without changing a byte of it: members keep their raw text, so that numbers beyond 2^53, duplicate keys,
//! `\u0000` and escapes of lone surrogates survive until somebody asks for a value of a certain form.
//!
//! It must not know what a member means.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schema::chain::{Malformed, Spelled};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::decode::{Misfit, limits};

/// A member's name as bytes, because a name with a lone surrogate is not text.
#[derive(Debug, Clone)]
struct Name<'a>(Cow<'a, [u8]>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(bytes)))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(bytes.to_vec())))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// A JSON object with its members in order, each with its raw text.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    members: Vec<(Name<'a>, &'a RawValue)>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object { members })
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl<'a> Object<'a> {
    /// The object that a text is.
    pub fn parse(text: &'a str) -> Result<Self, Misfit> {
        serde_json::from_str(text).map_err(|error| {
            // What is JSON of another form is not repeated: it may be long, and it may be what must not be kept.
            if error.is_data() {
                Misfit::new("not a JSON object")
            } else {
                Misfit(format!("not a JSON object: {error}"))
            }
        })
    }

    /// The members in order: name (as far as it is text) and raw value.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'_, str>, &'a RawValue)> {
        self.members.iter().map(|(name, value)| (String::from_utf8_lossy(&name.0), *value))
    }

    /// The raw value of a member, `null` included; none when it is absent. A member given twice says two things.
    pub fn raw(&self, name: &str) -> Result<Option<&'a RawValue>, Misfit> {
        let mut values = self.members.iter().filter(|(key, _)| *key.0 == *name.as_bytes()).map(|(_, value)| *value);
        let value = values.next();
        if values.next().is_some() { Err(Misfit(format!("`{name}` is given twice"))) } else { Ok(value) }
    }

    /// The raw value of a member; none when it is absent or `null`.
    pub fn given(&self, name: &str) -> Result<Option<&'a RawValue>, Misfit> {
        Ok(self.raw(name)?.filter(|value| !is_null(value)))
    }

    /// The raw value of a member that must be there and not be `null`.
    pub fn need(&self, name: &str) -> Result<&'a RawValue, Misfit> {
        self.given(name)?.ok_or_else(|| Misfit(format!("`{name}` is missing")))
    }

    /// A text that must be there.
    pub fn text(&self, name: &str) -> Result<String, Misfit> {
        text(name, self.need(name)?)
    }

    /// A text that may be absent or `null`.
    pub fn optional_text(&self, name: &str) -> Result<Option<String>, Misfit> {
        self.given(name)?.map(|value| text(name, value)).transpose()
    }

    /// A value spelled as a JSON string, which must be there.
    pub fn spelled<T: FromStr<Err = Malformed>>(&self, name: &str) -> Result<Spelled<T>, Misfit> {
        parse(name, self.text(name)?)
    }

    /// A value spelled as a JSON number or as a string, which must be there.
    pub fn number<T: FromStr<Err = Malformed>>(&self, name: &str) -> Result<Spelled<T>, Misfit> {
        number(name, self.need(name)?)
    }

    /// A value spelled as a JSON number or as a string, which may be absent or `null`.
    pub fn optional_number<T: FromStr<Err = Malformed>>(&self, name: &str) -> Result<Option<Spelled<T>>, Misfit> {
        self.given(name)?.map(|value| number(name, value)).transpose()
    }

    /// A value spelled as a JSON number and nothing else, which must be there.
    pub fn plain_number<T: FromStr<Err = Malformed>>(&self, name: &str) -> Result<Spelled<T>, Misfit> {
        plain_number(name, self.need(name)?)
    }

    /// The raw elements of an array; none when it is absent or `null`.
    pub fn optional_array(&self, name: &str) -> Result<Option<Vec<&'a RawValue>>, Misfit> {
        self.given(name)?.map(|value| array(name, value)).transpose()
    }
}

/// Whether a raw value is `null`.
pub fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// The text of a JSON string; escapes of lone surrogates are not text.
pub fn text(name: &str, value: &RawValue) -> Result<String, Misfit> {
    serde_json::from_str(value.get()).map_err(|_| Misfit(format!("`{name}` is not text")))
}

/// The raw elements of an array.
pub fn array<'a>(name: &str, value: &'a RawValue) -> Result<Vec<&'a RawValue>, Misfit> {
    serde_json::from_str(value.get()).map_err(|_| Misfit(format!("`{name}` is not an array")))
}

/// A value spelled as a JSON number or as a string.
pub fn number<T: FromStr<Err = Malformed>>(name: &str, value: &RawValue) -> Result<Spelled<T>, Misfit> {
    if value.get().starts_with('"') { parse(name, text(name, value)?) } else { plain_number(name, value) }
}

fn plain_number<T: FromStr<Err = Malformed>>(name: &str, value: &RawValue) -> Result<Spelled<T>, Misfit> {
    match value.get().as_bytes() {
        [b'-' | b'0'..=b'9', ..] => parse(name, value.get().to_owned()),
        _ => Err(Misfit(format!("`{name}` is not a number"))),
    }
}

fn parse<T: FromStr<Err = Malformed>>(name: &str, text: String) -> Result<Spelled<T>, Misfit> {
    // Zeros in front of a number and behind a fraction have no end of their own.
    let text = limits::bytes(name, text, limits::SPELLED_BYTES_MAX)?;
    Spelled::parse(text).map_err(|malformed| Misfit(format!("`{name}`: {malformed}")))
}

#[cfg(test)]
mod tests {
    use schema::chain::Amount;

    use super::*;

    #[test]
    fn raw_text_survives_and_only_what_is_asked_for_is_judged() {
        let text =
            r#"{"a": 123456789012345678901234567890.50, "b":"\ud800", "c": {"x":1,"x":2}, "\udfff":1, "d":"\u0000"}"#;
        let object = Object::parse(text).expect("an object");
        assert_eq!(object.need("a").expect("given").get(), "123456789012345678901234567890.50");
        assert_eq!(object.need("c").expect("given").get(), r#"{"x":1,"x":2}"#);
        assert!(object.text("b").is_err());
        assert_eq!(object.text("d").expect("text"), "\u{0}");
        assert_eq!(object.members().count(), 5);
    }

    #[test]
    fn a_member_given_twice_or_of_another_form_is_refused() {
        let object = Object::parse(r#"{"a":1,"a":2,"b":"3","c":4.0,"d":[1],"e":null}"#).expect("an object");
        assert!(object.number::<Amount>("a").is_err());
        assert_eq!(object.number::<Amount>("b").expect("number").text(), "3");
        assert!(object.plain_number::<Amount>("b").is_err());
        assert!(object.number::<Amount>("c").is_err());
        assert!(object.number::<Amount>("d").is_err());
        assert!(object.optional_number::<Amount>("e").expect("null is absent").is_none());
        assert!(object.need("e").is_err());
    }

    #[test]
    fn a_spelling_has_an_end_and_what_does_not_fit_is_not_repeated() {
        let text = format!("{{\"a\":{}5,\"b\":\"{}5\"}}", "1".repeat(200), "0".repeat(200));
        let object = Object::parse(&text).expect("an object");
        assert!(object.number::<Amount>("a").is_err());
        assert!(object.number::<Amount>("b").is_err());
        let refused = Object::parse("\"a secret\"").expect_err("not an object");
        assert!(!refused.0.contains("secret"), "{refused}");
    }

    #[test]
    fn depth_does_not_exhaust_the_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Object::parse(&deep).expect("an object").need("a").is_ok());
    }
}
