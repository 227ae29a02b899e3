// The Supabase Edge Function of the earlier app's address, /functions/v1/chime-meeting-token: see ../../CLIENTS.md.

import { forward, settings } from "./forward.ts";

const configured = settings((name) => Deno.env.get(name));
Deno.serve((request) => forward(request, configured));
