import { eventsAckContract } from '../shared/contract/events.ts';
import { serve } from '../shared/http/serve.ts';
import { eventFeed } from '../shared/services/events.ts';

serve(eventsAckContract, {
  POST: async ({ body }) => ({ body: { acknowledged: await eventFeed().acknowledge(body.ids) } }),
});
