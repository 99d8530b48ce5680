import { settingsGroups } from '../config.ts';
import { requireSettings } from './platform.ts';

// The app of all functions judges every setting, also those of functions that are not there yet: a misspelt one is found at the start.
requireSettings(settingsGroups);
