import { services } from '../shared/services.ts';
import { schedule } from '../shared/timer.ts';

schedule('consumeRecovery', '0 */5 * * * *', (call) => services().recover(call));
