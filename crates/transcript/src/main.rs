//! The Lambda function `transcript`.

use transcript::{App, Config, FUNCTION};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    runtime::start_logging();
    let config = Config::from_env()?;
    let app = App::connect(&config).await?;
    runtime::run(app, &FUNCTION, config.base.edge).await
}
