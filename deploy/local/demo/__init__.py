"""The demo company: a window shop with people, customers and visitors who post its form. It uses HTTP like any client."""
