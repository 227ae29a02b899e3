//! Prints the `OpenAPI` document.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", serde_json::to_string_pretty(&api::openapi::document())?);
    Ok(())
}
