//! The roots that devices' certificates end at, and what each of them is worth.

use crate::verify::PublicKey;

/// What a root vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Worth {
    /// The vendor's: devices below it are genuine.
    Production,
    /// The vendor's for tests.
    Test,
    /// That of virtual cards; everybody has its private key.
    Virtual,
}

impl Worth {
    /// In words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Production => "the vendor's root: a genuine device",
            Self::Test => "the vendor's test root: no device for keys of any value",
            Self::Virtual => "the root of virtual cards, whose key is public: proves nothing",
        }
    }
}

/// A root: brainpoolP256r1, ECDSA with SHA-256.
#[derive(Debug)]
pub struct Root {
    /// Name of its key, as issuers' certificates give it.
    pub name: &'static str,
    /// What it vouches for.
    pub worth: Worth,
    /// 04 || x || y in hexadecimal.
    point: &'static str,
}

/// All known roots.
///
/// Source: the vendor's published root certificates; the virtual root is this project's own.
pub static ROOTS: [Root; 3] = [
    Root {
        name: "DESRCACC100001",
        worth: Worth::Production,
        point: concat!(
            "046d025a8026cdba245f10df1b72e9880fff746dab40a43a3d5c6bebf27707c30f",
            "6dea72430ee3287b0665c1eaa6eaa4fa26c46303001983f82bd1aa31e03da062",
        ),
    },
    Root {
        name: "UTSRCACC100001",
        worth: Worth::Test,
        point: concat!(
            "04a041feb2fd116b2ad19ca6b7eacd71c9892f941bb88d67dceec92501f0700119",
            "57e22122ba6c2cf5ff02936f482e35a6129ccbba8e9383836d3106879c408ef0",
        ),
    },
    Root {
        name: "ZZVIRTROOT00001",
        worth: Worth::Virtual,
        point: concat!(
            "047f4e84de1491babfc91ab9b8de9000b221ce064af94f0735920d81f766bcc02b",
            "11727142ef0307ac811ffc6ea4b1477ec25948216892dc6848e3ce86a4f91521",
        ),
    },
];

impl Root {
    /// Finds a root by the name of its key.
    #[must_use]
    pub fn by_name(name: &[u8]) -> Option<&'static Self> {
        ROOTS.iter().find(|root| root.name.as_bytes() == name)
    }

    /// Its public key.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        // The constants above are valid hexadecimal; a test decodes each of them.
        PublicKey::device(hex::decode(self.point).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::cvc::Certificate;

    #[test]
    fn the_roots_are_those_that_were_published() {
        let vectors = include_str!("../../../vectors/cvc.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        for (root, published) in ROOTS
            .iter()
            .zip(vectors["published"].as_array().unwrap())
            .take(2)
        {
            let certificate = hex::decode(published["hex"].as_str().unwrap()).unwrap();
            let all = Certificate::parse_all(&certificate).unwrap();
            assert_eq!(all[0].holder, root.name.as_bytes());
            assert_eq!(all[0].key, root.key());
            assert!(all[0].is_signed_by(&root.key()));
        }
        let virtual_root = hsm2_emulator::identity::root_public_key();
        assert_eq!(ROOTS[2].name.as_bytes(), hsm2_emulator::identity::ROOT_NAME);
        assert_eq!(ROOTS[2].key(), PublicKey::device(virtual_root.point));
        assert!(Root::by_name(b"DESRCACC100002").is_none());
    }
}
