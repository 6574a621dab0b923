//! A run as a page, or two runs side by side: one file that needs no network.
//!
//! The page holds the reports as JSON and a script that draws them: the verdicts at a glance, the
//! map of key domains, every exchange on a click.

use super::Report;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Writes the page of these reports; the first gives the order of the scenarios.
#[must_use]
pub fn page(reports: &[&Report]) -> String {
    // A report holds numbers, texts and lists only: there is nothing that JSON cannot say.
    let data = serde_json::to_string(reports).unwrap_or_default();
    // What a card answered must not end the script that holds it.
    let data = data.replace('<', "\\u003c");
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Conformance of a SmartCard-HSM</title>
<style>
{STYLE}</style>
</head>
<body>
<main></main>
<noscript>A script that stands in this file draws the report; please allow it. It loads nothing.</noscript>
<script id="data" type="application/json">{data}</script>
<script>
{SCRIPT}</script>
</body>
</html>
"#
    )
}

#[cfg(test)]
mod tests;
